//! `[[route]]` and `[defaults]` as they are written.

use std::time::Duration;

use ipnet::IpNet;

use crate::close::CloseCode;
use crate::config::duration::Positive;
use crate::config::number::Count;
use crate::config::rate::{ByteRate, CountRate};
use crate::config::reader::{List, Named, OneOrMany};
use crate::config::size::Size;
use crate::config::table::table;
use crate::config::text::{Name, Parsed, Subprotocol};
use crate::config::words::Verdict;
use crate::config::{
    Compression, Forwarded, HostPattern, OnExceed, OriginPattern, PathPattern, PlainHttp,
};

table! {
    /// What a request must look like, where it goes and under which rules.
    RouteTable {
        /// The name in logs and the admin interface; each has its own.
        name: Name = required,
        /// "chat.example.com", "*.example.com" or a list of them; every host if absent.
        host: OneOrMany<Parsed<HostPattern>>,
        /// "/ws" (this path only), "/ws/*" (all below it), "/rooms/{id}" or "/*" (all).
        path: Parsed<PathPattern> = required,
        /// Match only handshakes that offer one of these; empty matches all.
        subprotocols: List<Subprotocol> = [],
        /// The name of the pool that serves the route.
        upstream: String = required,
        /// The path sent upstream; the request's own if absent.
        rewrite: String,
        ..rules: Rules
    }
}

table! {
    /// The rules of a route, which `[defaults]` may hold too.
    Rules {
        /// Plain HTTP requests: refuse (426) or forward to the same upstream.
        http: PlainHttp = "refuse",
        /// permessage-deflate: passthrough or off; off by default where validate_utf8 is true.
        compression: Compression = "passthrough",
        /// Close a session whose text is not UTF-8 with 1007; not with compression passthrough.
        validate_utf8: bool = false,
        /// The close code for the client when the upstream vanishes.
        upstream_lost: CloseCode = 1011,
        /// Which web pages may open a session.
        origin: OriginTable,
        /// Which client addresses are let in.
        address: AddressTable,
        /// How much a client may do.
        limits: LimitsTable,
        /// Pings to both sides.
        keepalive: KeepaliveTable,
        /// How long a session may do nothing, or anything.
        timeouts: TimeoutsTable,
        /// What the handshake request sent upstream carries.
        headers: HeadersTable,
    }
}

table! {
    /// Which web pages may open a session.
    OriginTable {
        /// `same-origin`, `https://example.com`, `https://*.example.com`,
        /// `https://example.com:8443` or `*`.
        allow: List<Parsed<OriginPattern>> = ["same-origin"],
        /// A request without an Origin header, which no browser sends: allow or deny.
        missing: Verdict = "allow",
        /// A request with "Origin: null": allow or deny.
        null: Verdict = "deny",
    }
}

table! {
    /// Which client addresses are let in.
    AddressTable {
        /// Networks that are let in; empty lets all in.
        allow: List<IpNet> = [],
        /// Networks that are not.
        deny: List<IpNet> = [],
    }
}

table! {
    /// How much a client may do.
    LimitsTable {
        /// Limits of one client address, over all its sessions on the route.
        per_ip: PerIpTable,
        /// Limits of one session.
        per_connection: PerConnectionTable,
        /// A client over its message or byte rate: close (1008), delay or drop.
        on_exceed: OnExceed = "close",
        /// The largest message in either direction, its fragments summed; closed with 1009.
        message_size: Size = "16MiB",
    }
}

table! {
    /// Limits of one client address, over all its sessions on the route.
    PerIpTable {
        /// Sessions at once; 0 is no limit.
        connections: Count = 0,
        /// Handshakes.
        handshakes: CountRate = "off",
        /// Messages, client to upstream.
        messages: CountRate = "off",
        /// Bytes, client to upstream.
        bytes: ByteRate = "off",
    }
}

table! {
    /// Limits of one session.
    PerConnectionTable {
        /// Messages, client to upstream.
        messages: CountRate = "off",
        /// Bytes, client to upstream.
        bytes: ByteRate = "off",
    }
}

table! {
    /// Pings to both sides.
    KeepaliveTable {
        /// Pings to the client.
        client: PingTable,
        /// Pings to the upstream.
        upstream: PingTable,
    }
}

table! {
    /// Pings to one side.
    PingTable {
        /// A ping goes out after so long without a received byte; "0s" sends none.
        interval: Duration = "30s",
        /// A peer that then sends nothing for so long is gone.
        timeout: Positive = "15s",
    }
}

table! {
    /// How long a session may do nothing, or anything.
    TimeoutsTable {
        /// Without a data frame in either direction; "0s" is for ever.
        idle: Duration = "0s",
        /// Of the whole session; "0s" is for ever.
        lifetime: Duration = "0s",
        /// A peer that takes no byte for so long is a slow reader.
        write: Positive = "10s",
        /// How long a peer may take to answer a close frame.
        close: Positive = "5s",
    }
}

table! {
    /// What the handshake request sent upstream carries.
    HeadersTable {
        /// Headers to set; values may use {client_ip}, {host}, {route} and {path.NAME}.
        set: Named<String> = {},
        /// Headers to take out.
        remove: List<String> = [],
        /// How the upstream is told who the client is: x-forwarded (-For, -Proto and -Host),
        /// forwarded (RFC 7239), both or off.
        forwarded: Forwarded = "x-forwarded",
    }
}
