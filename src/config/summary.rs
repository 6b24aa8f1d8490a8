//! The settings as `wsgate check` shows them: the routes in the order of matching.

use std::fmt::Write;

use super::file::RouteTable;
use super::reader::Setting;
use super::words::Word;
use super::{Config, Limits, ListenAddress, OnExceed, Rate, Route, rate, size};

/// The patterns of a route as the file writes them.
#[derive(Clone, Debug)]
pub(crate) struct RouteText {
    hosts: String,
    path: String,
    origins: String,
}

impl RouteText {
    pub(super) fn new(table: &RouteTable) -> Self {
        let hosts = table.host.get().map_or(&[][..], |hosts| &hosts.0);
        let origin = table.rules.origin.table();
        let origins = match origin.allow.get() {
            Some(origins) => join(
                origins
                    .iter()
                    .filter_map(Setting::get)
                    .map(|each| &each.text),
            ),
            None => "same-origin".to_owned(),
        };
        Self {
            hosts: join(hosts.iter().filter_map(Setting::get).map(|host| &host.text)),
            path: (table.path.get()).map_or_else(String::new, |path| path.text.clone()),
            origins,
        }
    }
}

impl Config {
    /// The resolved settings for a person: listeners, routes in the order of matching, warnings.
    pub fn summary(&self) -> String {
        let mut summary = String::new();
        let listeners = (self.listen.iter()).map(|listen| listen_text(&listen.address));
        // Writing to a string cannot fail.
        let _ = writeln!(summary, "listen  {}", join(listeners));
        if let Some(admin) = &self.admin {
            let _ = writeln!(summary, "admin   {}", listen_text(&admin.address));
        }
        let header = [
            "ROUTE",
            "HOST",
            "PATH",
            "SUBPROTOCOLS",
            "UPSTREAM",
            "ORIGIN",
            "LIMITS",
        ];
        let mut rows = vec![header.map(str::to_owned)];
        rows.extend(
            (self.routes.iter().zip(&self.route_texts)).map(|(route, text)| row(route, text)),
        );
        summary.push('\n');
        summary.push_str(&aligned(&rows));
        if !self.warnings.is_empty() {
            summary.push('\n');
        }
        for warning in &self.warnings {
            let _ = writeln!(summary, "warning: {warning}");
        }
        summary
    }
}

fn row(route: &Route, text: &RouteText) -> [String; 7] {
    let servers = join(route.upstream.servers.iter().map(|server| &server.name));
    [
        route.name.to_string(),
        or_word(text.hosts.clone(), "any"),
        text.path.clone(),
        or_word(join(&route.subprotocols), "any"),
        format!("{} ({servers})", route.upstream.name),
        or_word(text.origins.clone(), "none"),
        limits(&route.limits),
    ]
}

fn limits(limits: &Limits) -> String {
    let mut words = vec![format!("message {}", size::written(limits.message_size))];
    if let Some(connections) = limits.per_ip.connections {
        words.push(format!("{connections} sessions/ip"));
    }
    let counts = [
        ("handshakes/ip", limits.per_ip.handshakes),
        ("messages/ip", limits.per_ip.messages),
        ("messages", limits.per_connection.messages),
    ];
    let bytes = [
        ("bytes/ip", limits.per_ip.bytes),
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
        words.push(format!("else {}", limits.on_exceed.as_str()));
    }
    words.join(", ")
}

fn listen_text(address: &ListenAddress) -> String {
    match address {
        ListenAddress::Tcp(address) => address.to_string(),
        ListenAddress::Unix(path) => format!("unix:{}", path.display()),
    }
}

fn join<T: AsRef<str>>(words: impl IntoIterator<Item = T>) -> String {
    let words: Vec<_> = words.into_iter().collect();
    let words: Vec<&str> = words.iter().map(AsRef::as_ref).collect();
    words.join(", ")
}

fn or_word(text: String, word: &str) -> String {
    match text.is_empty() {
        true => word.to_owned(),
        false => text,
    }
}

/// The rows with every column as wide as its widest cell.
fn aligned(rows: &[[String; 7]]) -> String {
    let width = |column: usize| {
        let widths = rows.iter().map(|row| row[column].chars().count());
        widths.max().unwrap_or(0)
    };
    let mut text = String::new();
    for row in rows {
        let mut line = String::new();
        for (column, cell) in row.iter().enumerate() {
            let _ = write!(line, "{cell:<width$}  ", width = width(column));
        }
        text.push_str(line.trim_end());
        text.push('\n');
    }
    text
}
