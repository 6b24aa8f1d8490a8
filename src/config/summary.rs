//! The settings as `wsgate check` shows them: the routes in the order of matching.

use std::fmt::{Display, Write};

use super::checked::Config;
use super::checked::route::Route;
use super::settings::{Limits, OnExceed};
use super::values::{rate, rate::Rate, size};

impl Config {
    /// The resolved settings for a person: listeners, routes in the order of matching, warnings.
    pub fn summary(&self) -> String {
        let mut summary = String::new();
        let listeners = (self.listen.iter()).map(|listen| listen.address.to_string());
        // Writing to a string cannot fail.
        let _ = writeln!(summary, "listen  {}", join(listeners));
        if let Some(admin) = &self.admin {
            let _ = writeln!(summary, "admin   {}", admin.address);
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
        rows.extend(self.routes.iter().map(|route| row(route)));
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

fn row(route: &Route) -> [String; 7] {
    let servers = join(route.upstream.servers.iter().map(|server| &server.name));
    [
        route.name.to_string(),
        or_word(join(&route.hosts), "any"),
        route.path.to_string(),
        or_word(join(&route.subprotocols), "any"),
        format!("{} ({servers})", route.upstream.name),
        or_word(join(&route.origin.allow), "none"),
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
        words.push(format!("else {}", limits.on_exceed));
    }
    words.join(", ")
}

fn join<T: Display>(words: impl IntoIterator<Item = T>) -> String {
    let words: Vec<_> = words.into_iter().map(|word| word.to_string()).collect();
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
    let widths: [usize; 7] = std::array::from_fn(|column| {
        let widths = rows.iter().map(|row| row[column].chars().count());
        // One with a long list does not push the others apart.
        let widths = widths.filter(|width| *width <= WIDEST);
        widths.max().unwrap_or(0)
    });
    let mut text = String::new();
    for row in rows {
        let mut line = String::new();
        for (cell, width) in row.iter().zip(widths) {
            let _ = write!(line, "{cell:<width$}  ");
        }
        text.push_str(line.trim_end());
        text.push('\n');
    }
    text
}

/// Characters to which a column is widened for all its rows.
const WIDEST: usize = 80;
