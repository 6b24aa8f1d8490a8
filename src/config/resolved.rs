//! The settings as JSON: what a file with every default written out would say, without its secrets.
//!
//! Every value is taken out of its type with all fields named, so that the compiler asks about a
//! new one; that every key of the file is there, tests see to.

use std::fmt::Display;
use std::time::Duration;

use serde_json::{Map, Value, json};

use super::rate::span_of;
use super::words::{Verdict, Word};
use super::{
    AddressRules, Admin, ClientIp, Config, Drain, Headers, Keepalive, Limits, Listen, Log,
    OriginRules, PerConnection, PerIp, Ping, Rate, Route, Server, Timeouts, Upstream,
    UpstreamServer, duration, size,
};

/// What stands in the place of a secret.
const MASK: &str = "***";

impl Config {
    /// The resolved settings in the form of the file, without `[defaults]`: they are in every route.
    ///
    /// The admin token and the values of headers that are set are not shown, nor is a rewrite that
    /// an environment variable was filled into.
    pub(crate) fn resolved(&self) -> Value {
        let Self {
            listen,
            client_ip,
            admin,
            log,
            drain,
            server,
            upstreams,
            routes,
            warnings: _,
        } = self;
        let upstreams = upstreams.iter();
        let upstreams = upstreams.map(|pool| (pool.name.to_string(), upstream(pool)));
        json!({
            "listen": listen.iter().map(listener).collect::<Vec<_>>(),
            "client_ip": self::client_ip(client_ip),
            "admin": admin.as_ref().map(self::admin),
            "log": self::log(log),
            "drain": self::drain(drain),
            "server": self::server(server),
            "upstream": upstreams.collect::<Map<_, _>>(),
            "route": routes.iter().map(|each| route(each)).collect::<Vec<_>>(),
        })
    }
}

fn listener(Listen { address }: &Listen) -> Value {
    json!({ "address": text(address) })
}

fn client_ip(client_ip: &ClientIp) -> Value {
    let ClientIp {
        trusted_proxies,
        header,
        ipv6_prefix,
        tracked,
    } = client_ip;
    json!({
        "trusted_proxies": texts(trusted_proxies),
        "header": header.as_str(),
        "ipv6_prefix": ipv6_prefix,
        "tracked": tracked,
    })
}

fn admin(Admin { address, token }: &Admin) -> Value {
    json!({
        "address": text(address),
        "token": token.as_ref().map(|_| MASK),
    })
}

fn log(log: &Log) -> Value {
    let Log {
        level,
        format,
        access,
    } = log;
    json!({ "level": level, "format": format.as_str(), "access": access })
}

fn drain(drain: &Drain) -> Value {
    let Drain {
        close_code,
        spread,
        deadline,
    } = *drain;
    json!({
        "close_code": close_code.get(),
        "spread": duration::written(spread),
        "deadline": duration::written(deadline),
    })
}

fn server(server: &Server) -> Value {
    let Server {
        workers,
        sessions,
        handshake_timeout,
        head_size,
    } = *server;
    json!({
        "workers": workers,
        "sessions": sessions,
        "handshake_timeout": duration::written(handshake_timeout),
        "head_size": size::written(head_size as u64),
    })
}

fn upstream(upstream: &Upstream) -> Value {
    let Upstream {
        name: _,
        servers,
        balance,
        connect_timeout,
        handshake_timeout,
        retries,
        max_connections,
    } = upstream;
    let servers = servers.iter().map(|server| {
        // The name is the URL as it was written, which holds the address and the base path.
        let UpstreamServer {
            name,
            address: _,
            base_path: _,
            weight,
        } = server;
        json!({ "url": &**name, "weight": weight })
    });
    json!({
        "servers": servers.collect::<Vec<_>>(),
        "balance": balance.as_str(),
        "connect_timeout": duration::written(*connect_timeout),
        "handshake_timeout": duration::written(*handshake_timeout),
        "retries": retries,
        "max_connections": max_connections.unwrap_or(0),
    })
}

fn route(route: &Route) -> Value {
    let Route {
        name,
        hosts,
        path,
        subprotocols,
        upstream,
        rewrite,
        rewrite_is_filled,
        http,
        compression,
        validate_utf8,
        upstream_lost,
        origin,
        address,
        limits,
        keepalive,
        timeouts,
        headers,
    } = route;
    let rewrite = rewrite.as_ref().map(|rewrite| match rewrite_is_filled {
        true => MASK.to_owned(),
        false => text(rewrite),
    });
    json!({
        "name": &**name,
        // Every host.
        "host": (!hosts.is_empty()).then(|| texts(hosts)),
        "path": text(path),
        "subprotocols": subprotocols,
        "upstream": &*upstream.name,
        "rewrite": rewrite,
        "http": http.as_str(),
        "compression": compression.as_str(),
        "validate_utf8": validate_utf8,
        "upstream_lost": upstream_lost.get(),
        "origin": self::origin(origin),
        "address": self::address(address),
        "limits": self::limits(limits),
        "keepalive": self::keepalive(keepalive),
        "timeouts": self::timeouts(timeouts),
        "headers": self::headers(headers),
    })
}

fn origin(origin: &OriginRules) -> Value {
    let OriginRules {
        allow,
        allow_missing,
        allow_null,
    } = origin;
    let verdict = |allowed: bool| match allowed {
        true => Verdict::Allow.as_str(),
        false => Verdict::Deny.as_str(),
    };
    json!({
        "allow": texts(allow),
        "missing": verdict(*allow_missing),
        "null": verdict(*allow_null),
    })
}

fn address(AddressRules { allow, deny }: &AddressRules) -> Value {
    json!({ "allow": texts(allow), "deny": texts(deny) })
}

fn limits(limits: &Limits) -> Value {
    let Limits {
        per_ip,
        per_connection,
        on_exceed,
        message_size,
    } = limits;
    let PerIp {
        connections,
        handshakes,
        messages,
        bytes,
    } = *per_ip;
    let per_ip = json!({
        "connections": connections.unwrap_or(0),
        "handshakes": count_rate(handshakes),
        "messages": count_rate(messages),
        "bytes": byte_rate(bytes),
    });
    let PerConnection { messages, bytes } = *per_connection;
    json!({
        "per_ip": per_ip,
        "per_connection": { "messages": count_rate(messages), "bytes": byte_rate(bytes) },
        "on_exceed": on_exceed.as_str(),
        "message_size": size::written(*message_size),
    })
}

fn keepalive(Keepalive { client, upstream }: &Keepalive) -> Value {
    let ping = |Ping { interval, timeout }: &Ping| json!({ "interval": or_never(*interval), "timeout": duration::written(*timeout) });
    json!({ "client": ping(client), "upstream": ping(upstream) })
}

fn timeouts(timeouts: &Timeouts) -> Value {
    let Timeouts {
        idle,
        lifetime,
        write,
        close,
    } = *timeouts;
    json!({
        "idle": or_never(idle),
        "lifetime": or_never(lifetime),
        "write": duration::written(write),
        "close": duration::written(close),
    })
}

fn headers(headers: &Headers) -> Value {
    let Headers {
        set,
        remove,
        forwarded,
    } = headers;
    let set = set.iter();
    // Any of them may be what the upstream knows the gate by.
    let set = set.map(|(name, _value)| (name.to_string(), json!(MASK)));
    json!({
        "set": set.collect::<Map<_, _>>(),
        "remove": texts(remove),
        "forwarded": forwarded.as_str(),
    })
}

fn count_rate(rate: Option<Rate>) -> Value {
    match rate {
        None => json!("off"),
        Some(Rate { count, per, burst }) => {
            json!({ "rate": format!("{count}{}", span_of(per)), "burst": burst })
        }
    }
}

fn byte_rate(rate: Option<Rate>) -> Value {
    match rate {
        None => json!("off"),
        Some(Rate { count, per, burst }) => {
            let rate = format!("{}{}", size::written(count), span_of(per));
            json!({ "rate": rate, "burst": size::written(burst) })
        }
    }
}

/// A time that `"0s"` stands for none of.
fn or_never(time: Option<Duration>) -> String {
    duration::written(time.unwrap_or_default())
}

fn text(value: &impl Display) -> String {
    value.to_string()
}

fn texts<T: Display>(values: &[T]) -> Vec<String> {
    values.iter().map(T::to_string).collect()
}

#[cfg(test)]
mod tests;
