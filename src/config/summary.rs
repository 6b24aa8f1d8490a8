//! The settings as `wsgate check` shows them: the routes in the order of matching.

mod auth;
mod channels;
mod publish;
#[cfg(feature = "shared")]
mod shared;
#[cfg(feature = "tls")]
mod tls;
mod wrapped;

use std::fmt::{Display, Write};
use std::time::Duration;

use self::wrapped::wrapped;
use super::checked::Config;
use super::checked::route::Route;
use super::settings::plain_http::{HttpMode, HttpOrigin};
use super::settings::{
    AddressRules, EncodedSlashes, Keepalive, Limits, OnExceed, OriginRules, PlainHttp,
    RouteSettings, SentProxyProtocol, Timeouts, UpstreamHttp,
};
use super::values::{AnyDuration, Text, rate, rate::Rate, size};

impl Config {
    /// The resolved settings for a person: listeners and routes in the order of matching.
    pub fn summary(&self) -> String {
        let mut summary = String::new();
        let listeners = (self.listen.iter()).map(|listen| listen.address.to_string());
        // Writing to a string cannot fail.
        let _ = writeln!(summary, "listen  {}", join(listeners));
        #[cfg(feature = "tls")]
        tls::tell(self, &mut summary);
        if let Some(admin) = &self.admin {
            let _ = writeln!(summary, "admin   {}", admin.address);
        }
        if let Some(publish) = &self.publish {
            publish::tell(publish, &mut summary);
        }
        #[cfg(feature = "shared")]
        shared::tell(self, &mut summary);
        if !self.server.health_path.is_empty() {
            let _ = writeln!(summary, "health  {}", self.server.health_path);
        }
        let (_, written) = &self.written;
        for (route, written) in self.routes.iter().zip(written) {
            let _ = write!(summary, "\nroute {}\n", route.name);
            // Without what an environment variable was filled in.
            tell(route, written, &mut summary);
        }
        summary
    }
}

fn tell(route: &Route, written: &RouteSettings, summary: &mut String) {
    let mut row = |title: &str, words: Vec<String>| {
        if !words.is_empty() {
            let _ = writeln!(summary, "  {title:9}  {}", wrapped(&words));
        }
    };
    let hosts = route.hosts.iter().map(ToString::to_string).collect();
    row("host", or_word(hosts, "any"));
    let mut path = vec![route.path.to_string()];
    if route.encoded_slashes == EncodedSlashes::Pass {
        path.push("encoded slashes pass".to_owned());
    }
    row("path", path);
    row("offers", route.subprotocols.clone());
    let mut upstream = vec![route.upstream.name.to_string()];
    if route.upstream.http == UpstreamHttp::H2 {
        upstream.push("over HTTP/2".to_owned());
    }
    upstream.extend(sent_header(route.upstream.proxy_protocol));
    row("upstream", upstream);
    let servers = route.upstream.servers.iter();
    row(
        "servers",
        servers.map(|server| server.name.to_string()).collect(),
    );
    row("rewrite", written.rewrite.iter().cloned().collect());
    row("http", http(&route.http));
    row("origin", origin(&route.origin));
    row("address", address(&route.address));
    row(
        "auth",
        route.auth.as_ref().map(auth::words).unwrap_or_default(),
    );
    row("limits", limits(&route.limits));
    row(
        "channels",
        channels::words(&route.channels, &written.channels.join),
    );
    row("keepalive", keepalive(&route.keepalive));
    row("timeouts", timeouts(&route.timeouts));
}

fn sent_header(protocol: SentProxyProtocol) -> Option<String> {
    match protocol {
        SentProxyProtocol::Off => None,
        SentProxyProtocol::V1 => Some("PROXY v1 sent".to_owned()),
        SentProxyProtocol::V2 => Some("PROXY v2 sent".to_owned()),
    }
}

fn http(http: &PlainHttp) -> Vec<String> {
    if http.mode == HttpMode::Refuse {
        return vec!["refuse".to_owned()];
    }
    let mut words = vec![
        "forward".to_owned(),
        format!("response {}", duration(http.response_timeout)),
    ];
    words.extend(
        http.idle_timeout
            .map(|idle| format!("idle {}", duration(idle))),
    );
    words.push(format!("write {}", duration(http.write_timeout)));
    if http.origin == HttpOrigin::Check {
        words.push("origin rules apply".to_owned());
    }
    words
}

fn origin(rules: &OriginRules) -> Vec<String> {
    let allowed = rules.allow.iter().map(ToString::to_string).collect();
    let mut words = or_word(allowed, "none");
    if !rules.allow_missing {
        words.push("missing denied".to_owned());
    }
    if rules.allow_null {
        words.push("null allowed".to_owned());
    }
    words
}

/// Nothing where every address is allowed.
fn address(rules: &AddressRules) -> Vec<String> {
    let denied = rules.deny.iter().map(|network| format!("not {network}"));
    let allowed = rules.allow.iter().map(ToString::to_string);
    allowed.chain(denied).collect()
}

fn limits(limits: &Limits) -> Vec<String> {
    let mut words = vec![format!("message {}", size::written(limits.message_size))];
    if let Some(connections) = limits.per_ip.connections {
        words.push(format!("{connections} sessions/ip"));
    }
    if let Some(connections) = limits.per_subject.connections {
        words.push(format!("{connections} sessions/subject"));
    }
    let counts = [
        ("handshakes/ip", limits.per_ip.handshakes),
        ("messages/ip", limits.per_ip.messages),
        ("handshakes/subject", limits.per_subject.handshakes),
        ("messages/subject", limits.per_subject.messages),
        ("messages", limits.per_connection.messages),
    ];
    let bytes = [
        ("bytes/ip", limits.per_ip.bytes),
        ("bytes/subject", limits.per_subject.bytes),
        ("bytes", limits.per_connection.bytes),
    ];
    let mut push = |name: &str, limit: Option<Rate>, number: fn(u64) -> String| {
        words.extend(limit.map(|limit| format!("{name} {}", rate::written(limit, number))));
    };
    for (name, limit) in counts {
        push(name, limit, |count| count.to_string());
    }
    for (name, limit) in bytes {
        push(name, limit, size::written);
    }
    if limits.on_exceed != OnExceed::default() {
        words.push(format!("else {}", limits.on_exceed));
    }
    words
}

fn keepalive(keepalive: &Keepalive) -> Vec<String> {
    let sides = [
        ("client", keepalive.client),
        ("upstream", keepalive.upstream),
    ];
    let word = |(side, ping): (&str, super::settings::keepalive::Ping)| match ping.interval {
        Some(interval) => {
            let (interval, timeout) = (duration(interval), duration(ping.timeout));
            format!("{side} {interval} + {timeout}")
        }
        None => format!("{side} off"),
    };
    sides.map(word).into()
}

fn timeouts(timeouts: &Timeouts) -> Vec<String> {
    let mut words = Vec::new();
    let limits = [("idle", timeouts.idle), ("lifetime", timeouts.lifetime)];
    for (name, limit) in limits {
        words.extend(limit.map(|limit| format!("{name} {}", duration(limit))));
    }
    words.push(format!("write {}", duration(timeouts.write)));
    words.push(format!("close {}", duration(timeouts.close)));
    words
}

fn duration(duration: Duration) -> String {
    AnyDuration::print(&duration)
}

fn join<T: Display>(words: impl IntoIterator<Item = T>) -> String {
    let words: Vec<_> = words.into_iter().map(|word| word.to_string()).collect();
    words.join(", ")
}

fn or_word(words: Vec<String>, word: &str) -> Vec<String> {
    match words.is_empty() {
        true => vec![word.to_owned()],
        false => words,
    }
}

#[cfg(test)]
mod tests;
