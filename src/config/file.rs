//! The file as it is written: every table, every key, what it means and what it defaults to.
//!
//! This is the only list of keys. The reader, the suggestions for mistyped keys and the JSON
//! Schema come from it, and tests hold `config/full.toml` and `docs/configuration.md` to it.

mod route;

use std::time::Duration;

use ipnet::IpNet;
use toml::Spanned;
use toml::de::DeValue;

use super::duration::Positive;
use super::number::{Count, Number};
use super::reader::{FromToml, List, Named, Reader};
use super::server_url::ServerUrl;
use super::size::Size;
use super::table::table;
use super::text::LogFilter;
use super::{Balance, ForwardingHeader, ListenAddress, LogFormat, Secret};
use crate::close::CloseCode;

pub(super) use route::Rules;
pub(super) use route::{
    AddressTable, HeadersTable, KeepaliveTable, LimitsTable, OriginTable, PerConnectionTable,
    PerIpTable, PingTable, RouteTable, TimeoutsTable,
};

table! {
    /// Settings of wsgate.
    File {
        /// Where the program listens; 127.0.0.1:8080 if nothing is given. The library ignores it.
        listen: List<ListenTable>,
        /// Who the client is behind trusted proxies, and what counts as one client.
        client_ip: ClientIpTable,
        /// The admin listener; without this table there is none.
        admin: AdminTable,
        /// The program's log.
        log: LogTable,
        /// How sessions are sent away when the gate stops.
        drain: DrainTable,
        /// The program's process.
        server: ServerTable,
        /// Pools of servers, by name.
        upstream: Named<UpstreamTable>,
        /// What holds for every route that does not say otherwise, key by key.
        defaults: Rules,
        /// The routes; the first that matches a request takes it.
        route: List<RouteTable>,
    }
}

table! {
    /// One listener of the program.
    ListenTable {
        /// `127.0.0.1:8080`, `[::]:8080` or `unix:/run/wsgate.sock`.
        address: ListenAddress = required,
    }
}

table! {
    /// Who the client is behind trusted proxies, and what counts as one client.
    ClientIpTable {
        /// Networks of the proxies in front; only their forwarding header is believed.
        trusted_proxies: List<IpNet> = [],
        /// The header in which they name the client; it is read from its end to the first address
        /// that is not trusted.
        header: ForwardingHeader = "x-forwarded-for",
        /// How many leading bits of an IPv6 address make one client.
        ipv6_prefix: Number<1, 128> = 64,
        /// Addresses with limits of their own; all others beyond that share one.
        tracked: Number<1, 1_000_000_000> = 1000000,
    }
}

table! {
    /// The admin listener.
    AdminTable {
        /// Where it listens; anything but a loopback address or a unix socket needs a token.
        address: ListenAddress = required,
        /// The bearer token that a request must carry.
        token: Secret,
    }
}

table! {
    /// The program's log.
    LogTable {
        /// error, warn, info, debug, trace, off, or a filter such as "info,wsgate=debug".
        level: LogFilter = "info",
        /// text or json.
        format: LogFormat = "text",
        /// One line when a session opens and one when it closes.
        access: bool = true,
    }
}

table! {
    /// How sessions are sent away when the gate stops.
    DrainTable {
        /// The close code that they get.
        close_code: CloseCode = 1001,
        /// The closes are spread evenly over this time, but over three quarters of the deadline at
        /// most.
        spread: Duration = "10s",
        /// What is still open after this time is cut.
        deadline: Duration = "30s",
    }
}

table! {
    /// The program's process.
    ServerTable {
        /// Threads; 0 is one a core.
        workers: Number<0, 1024> = 0,
        /// Sessions at once; 0 is what the limit on open files allows.
        sessions: Number<0, 1_000_000_000> = 0,
        /// From the accepted connection to the end of the request head, in total.
        handshake_timeout: Positive = "10s",
        /// The largest request head, from 8KiB to 1MiB.
        head_size: HeadSize = "16KiB",
    }
}

table! {
    /// A pool of servers that serve the same.
    UpstreamTable {
        /// URLs of the servers: ws://host:port, ws://host:port/base, unix:/path or unix:/path:/base.
        servers: List<ServerEntry> = required,
        /// How the server for a new session is picked.
        balance: Balance = "least_connections",
        /// The longest wait for a connection to a server.
        connect_timeout: Positive = "3s",
        /// The longest wait for a server's answer to the handshake.
        handshake_timeout: Positive = "5s",
        /// Other servers tried after a failed connect; never after the request was sent.
        retries: Number<0, 100> = 1,
        /// Sessions at once on one server; 0 is no limit.
        max_connections: Count = 0,
    }
}

table! {
    /// A server with a weight.
    WeightedServerTable {
        /// The URL of the server.
        url: ServerUrl = required,
        /// Its share of the sessions, in proportion to the other servers of the pool.
        weight: Number<1, 65_535> = 1,
    }
}

/// A server: its URL, or a table with its weight.
#[derive(Clone)]
pub(super) struct ServerEntry {
    pub(super) url: ServerUrl,
    pub(super) weight: u32,
}

/// The size of a request head, within what hyper takes.
#[derive(Clone, Copy)]
pub(super) struct HeadSize(pub(super) usize);

impl FromToml for ServerEntry {
    fn from_toml(value: &Spanned<DeValue<'_>>, reader: &mut Reader<'_>) -> Option<Self> {
        let DeValue::Table(_) = value.get_ref() else {
            let url = ServerUrl::from_toml(value, reader)?;
            return Some(Self { url, weight: 1 });
        };
        let table = WeightedServerTable::from_toml(value, reader)?;
        Some(Self {
            url: table.url.get()?.clone(),
            weight: table.weight.get().map_or(1, |weight| weight.as_u32()),
        })
    }

    #[cfg(feature = "server")]
    fn schema() -> serde_json::Value {
        let (url, table) = (
            <ServerUrl as FromToml>::schema(),
            WeightedServerTable::schema(),
        );
        serde_json::json!({ "anyOf": [url, table] })
    }
}

impl FromToml for HeadSize {
    fn from_toml(value: &Spanned<DeValue<'_>>, reader: &mut Reader<'_>) -> Option<Self> {
        /// Hyper panics below the lower bound.
        const BOUNDS: std::ops::RangeInclusive<usize> = 8 * 1024..=1024 * 1024;
        let Size(bytes) = Size::from_toml(value, reader)?;
        let size = usize::try_from(bytes)
            .ok()
            .filter(|size| BOUNDS.contains(size));
        if size.is_none() {
            let problem = super::error::Problem::new("this must be a size from 8KiB to 1MiB");
            reader.error(value.span(), problem);
        }
        size.map(Self)
    }

    #[cfg(feature = "server")]
    fn schema() -> serde_json::Value {
        <Size as FromToml>::schema()
    }
}
