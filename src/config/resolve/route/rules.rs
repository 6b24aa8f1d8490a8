//! The tables of a route that `[defaults]` may hold too.

use std::time::Duration;

use toml::Spanned;

use crate::config::file::{
    AddressTable, KeepaliveTable, LimitsTable, OriginTable, PerConnectionTable, PerIpTable,
    PingTable, TimeoutsTable,
};
use crate::config::rate::ByteRate;
use crate::config::reader::{Reader, Setting};
use crate::config::size::written;
use crate::config::words::Verdict;
use crate::config::{
    AddressRules, Keepalive, Limits, OnExceed, OriginRules, PerConnection, PerIp, Ping, Timeouts,
};

pub(super) fn origin(table: &OriginTable) -> OriginRules {
    let default = OriginRules::default();
    let is_allowed = |verdict: &Verdict| *verdict == Verdict::Allow;
    OriginRules {
        allow: match table.allow.get() {
            Some(allow) => (allow.iter().filter_map(Setting::get))
                .map(|origin| origin.0.clone())
                .collect(),
            None => default.allow,
        },
        allow_missing: (table.missing.get()).map_or(default.allow_missing, is_allowed),
        allow_null: (table.null.get()).map_or(default.allow_null, is_allowed),
    }
}

pub(super) fn address(table: &AddressTable) -> AddressRules {
    let (allow, deny) = (table.allow.table(), table.deny.table());
    AddressRules {
        allow: allow.iter().filter_map(Setting::get).copied().collect(),
        deny: deny.iter().filter_map(Setting::get).copied().collect(),
    }
}

pub(super) fn limits(table: &LimitsTable, reader: &mut Reader<'_>) -> Limits {
    let default = Limits::default();
    let (per_ip, per_connection) = (table.per_ip.table(), table.per_connection.table());
    let limits = Limits {
        per_ip: self::per_ip(&per_ip),
        per_connection: self::per_connection(&per_connection),
        on_exceed: table.on_exceed.or(default.on_exceed),
        message_size: (table.message_size.get()).map_or(default.message_size, |size| size.0),
    };
    if limits.on_exceed != OnExceed::Delay {
        for bytes in [&per_ip.bytes, &per_connection.bytes] {
            warn_small_burst(bytes, limits.message_size, reader);
        }
    }
    limits
}

/// A bucket that is smaller than a message never lets it through.
fn warn_small_burst(bytes: &Setting<ByteRate>, message_size: u64, reader: &mut Reader<'_>) {
    let burst = (bytes.get().and_then(|rate| rate.0)).map(|rate| rate.burst);
    let Some(burst) = burst.filter(|burst| *burst < message_size) else {
        return;
    };
    let message = format!(
        "a message larger than the burst of {} is always refused, although message_size lets {} in",
        written(burst),
        written(message_size),
    );
    if let Some(span) = bytes.given().map(Spanned::span) {
        reader.warn(&span, &message);
    }
}

fn per_ip(table: &PerIpTable) -> PerIp {
    PerIp {
        connections: (table.connections.get())
            .map(|number| number.as_u32())
            .filter(|number| *number > 0),
        handshakes: table.handshakes.get().and_then(|rate| rate.0),
        messages: table.messages.get().and_then(|rate| rate.0),
        bytes: table.bytes.get().and_then(|rate| rate.0),
    }
}

fn per_connection(table: &PerConnectionTable) -> PerConnection {
    PerConnection {
        messages: table.messages.get().and_then(|rate| rate.0),
        bytes: table.bytes.get().and_then(|rate| rate.0),
    }
}

pub(super) fn keepalive(table: &KeepaliveTable) -> Keepalive {
    let default = Keepalive::default();
    Keepalive {
        client: ping(&table.client.table(), default.client),
        upstream: ping(&table.upstream.table(), default.upstream),
    }
}

fn ping(table: &PingTable, default: Ping) -> Ping {
    Ping {
        interval: unless_zero(&table.interval, default.interval),
        timeout: (table.timeout.get()).map_or(default.timeout, |timeout| timeout.0),
    }
}

pub(super) fn timeouts(table: &TimeoutsTable) -> Timeouts {
    let default = Timeouts::default();
    Timeouts {
        idle: unless_zero(&table.idle, default.idle),
        lifetime: unless_zero(&table.lifetime, default.lifetime),
        write: table.write.get().map_or(default.write, |timeout| timeout.0),
        close: table.close.get().map_or(default.close, |timeout| timeout.0),
    }
}

/// A duration for which zero means never.
fn unless_zero(setting: &Setting<Duration>, default: Option<Duration>) -> Option<Duration> {
    match setting.get() {
        Some(duration) => Some(*duration).filter(|duration| !duration.is_zero()),
        None => default,
    }
}
