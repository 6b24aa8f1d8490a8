//! What is on the screen: the process in a few lines, then tables to scroll through.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use super::history::{History, PlainTraffic, RecentEnding, Sort, Traffic};
use super::keys::Scroll;
use super::screen::{Line, Size, Weight};
use crate::cli::interface::InterfaceAddress;
use crate::cli::table::{Column, TextTable, cut_at_the_end};
use crate::cli::units::{age, byte_rate, bytes, rate, share, short_time};
use crate::cli::upstreams;

/// What is shown, and from which line on.
#[derive(Debug, Default)]
pub(super) struct View {
    pub(super) sort: Sort,
    /// Why there is no newer scrape.
    pub(super) problem: Option<String>,
    /// Lines that are above the first that is seen.
    above: usize,
    /// What was drawn last: lines to scroll through, and how many of them are seen at once.
    length: usize,
    page: usize,
}

const ROUTES: &[Column] = &[
    Column::text("ROUTE"),
    Column::number("SESSIONS"),
    Column::number("OPENED/s"),
    Column::number("REFUSED/s"),
    Column::number("MESSAGES/s"),
    Column::number("BYTES/s"),
];

const PLAIN: &[Column] = &[
    Column::text("PLAIN HTTP"),
    Column::number("OPEN"),
    Column::number("REQUESTS/s"),
    Column::number("REFUSED/s"),
    Column::number("5xx"),
    Column::number("TO HEAD"),
    Column::number("BYTES/s"),
];

const SERVERS: &[Column] = &[
    Column::text("UPSTREAM"),
    Column::text("SERVER"),
    Column::word("STATE"),
    Column::number("SESSIONS"),
    Column::number("CONNECTING"),
    Column::number("FAILED"),
];

const CLIENTS: &[Column] = &[
    Column::text("CLIENT"),
    Column::number("SESSIONS"),
    Column::number("MESSAGES/s"),
    Column::number("BYTES/s"),
];

const ENDINGS: &[Column] = &[
    Column::word("ENDED"),
    Column::text("ROUTE"),
    Column::text("REASON"),
    Column::word("BY"),
    Column::word("CODE"),
    Column::number("COUNT"),
    Column::number("LAST"),
];

/// More clients are not the busiest ones.
const MOST_CLIENTS: usize = 50;

const KEYS: &str = "q quit  s sort by ";

/// The empty line below the head, and the line at the bottom.
const FRAME: usize = 2;

impl View {
    pub(super) fn scroll(&mut self, to: Scroll) {
        let page = isize::try_from(self.page.max(1)).unwrap_or(isize::MAX);
        self.above = match to {
            Scroll::Lines(lines) => self.above.saturating_add_signed(lines),
            Scroll::Pages(pages) => (self.above).saturating_add_signed(pages.saturating_mul(page)),
            Scroll::Home => 0,
            Scroll::End => usize::MAX,
        };
        self.above = self.above.min(self.length.saturating_sub(self.page));
    }

    /// As many lines as there are rows.
    pub(super) fn lines(
        &mut self,
        history: &History,
        address: &InterfaceAddress,
        size: Size,
    ) -> Vec<Line> {
        let body = self.body(history, Some(size.columns));
        let mut lines = head(history, address);
        self.page = size.rows.saturating_sub(lines.len() + FRAME);
        self.length = body.len();
        // The list may have become shorter, or the screen higher.
        self.above = self.above.min(self.length.saturating_sub(self.page));
        lines.push(plain(String::new()));
        lines.extend(body.into_iter().skip(self.above).take(self.page));
        lines.resize(size.rows.saturating_sub(1), plain(String::new()));
        lines.truncate(size.rows.saturating_sub(1));
        lines.push(self.bottom());
        for line in &mut lines {
            line.text = cut_at_the_end(&line.text, size.columns);
        }
        lines
    }

    /// All of it, for what is no terminal.
    pub(super) fn plain(&self, history: &History, address: &InterfaceAddress) -> String {
        let mut lines = head(history, address);
        lines.push(plain(String::new()));
        lines.extend(self.body(history, None));
        lines.into_iter().map(|line| line.text + "\n").collect()
    }

    fn bottom(&self) -> Line {
        if let Some(problem) = &self.problem {
            return reverse(format!("no news: {problem}"));
        }
        let seen = self.above + self.page;
        let more = match self.length > self.page {
            true => format!(
                "  ↑↓ lines {}-{} of {}",
                self.above + 1,
                seen.min(self.length),
                self.length
            ),
            false => String::new(),
        };
        reverse(format!("{KEYS}({}){more}", self.sort.as_str()))
    }

    fn body(&self, history: &History, width: Option<usize>) -> Vec<Line> {
        let mut lines = Vec::new();
        let mut add = |table: TextTable| {
            if !lines.is_empty() {
                lines.push(plain(String::new()));
            }
            let mut rows = table.lines(width).into_iter();
            lines.extend(rows.next().map(bold));
            lines.extend(rows.map(plain));
        };
        add(routes(&history.routes(self.sort)));
        let plain_requests = history.plain(self.sort);
        if !plain_requests.is_empty() {
            add(plain_http(&plain_requests));
        }
        add(servers(history));
        add(clients(&history.clients(self.sort)));
        add(endings(&history.endings()));
        if history.now().has_more_sessions {
            let some = history.now().sessions.len();
            lines.push(plain(format!(
                "The clients are those of the oldest {some} sessions."
            )));
        }
        lines
    }
}

fn head(history: &History, address: &InterfaceAddress) -> Vec<Line> {
    let (process, total) = (&history.now().process, history.total());
    let of = |most: Option<u64>| most.map_or(String::new(), |most| format!(" of {most}"));
    let state = match process.is_draining {
        true => "draining",
        false => "ready",
    };
    let up = age(process.up.as_secs());
    let mut of_process = Vec::new();
    if let Some(memory) = process.memory {
        of_process.push(format!("memory {}", bytes(memory)));
    }
    if let Some(descriptors) = process.descriptors {
        of_process.push(format!(
            "descriptors {descriptors}{}",
            of(process.most_descriptors)
        ));
    }
    if let Some(processor) = history.processor() {
        of_process.push(format!("processor {:.0}%", processor * 100.0));
    }
    of_process.push(format!("other connections {}", process.connections));
    if let Some(connections) = process.http2_to_servers {
        of_process.push(format!("HTTP/2 connections to servers {connections}"));
    }
    let mut lines = vec![
        bold(format!(
            "wsgate {} on {address}  up {up}  {state}",
            process.version
        )),
        plain(format!(
            "sessions {}{}  handshakes {}/s, refused {}/s, under way {}",
            total.sessions,
            of(process.most_sessions),
            rate(total.opened + total.refused),
            rate(total.refused),
            process.handshakes_open,
        )),
        plain(format!(
            "messages/s {} from clients, {} from upstreams  bytes/s {}, {}",
            rate(total.messages[0]),
            rate(total.messages[1]),
            byte_rate(total.bytes[0]),
            byte_rate(total.bytes[1]),
        )),
    ];
    lines.extend(tls(history, SystemTime::now()).map(plain));
    lines.push(plain(of_process.join("  ")));
    lines
}

/// TLS with clients, where there is any.
fn tls(history: &History, now: SystemTime) -> Option<String> {
    let (totals, traffic) = (history.now().tls.as_ref()?, history.tls());
    let mut line = format!(
        "TLS handshakes {}/s, resumed {}/s, failed {}/s, under way {}",
        rate(traffic.handshakes),
        rate(traffic.resumed),
        rate(traffic.failed),
        totals.open,
    );
    if let Some((file, expires)) = &totals.first_to_expire {
        let now = now.duration_since(UNIX_EPOCH).unwrap_or_default();
        let expires = Duration::try_from_secs_f64(*expires).unwrap_or_default();
        let when = match expires.checked_sub(now) {
            Some(left) => format!("expires in {}", age(left.as_secs())),
            None => format!("expired {} ago", age(now.saturating_sub(expires).as_secs())),
        };
        line += &format!("  certificate {file} {when}");
    }
    Some(line)
}

fn routes(routes: &[Traffic]) -> TextTable {
    let mut table = TextTable::new(ROUTES);
    for route in routes {
        table.row([
            name_of(&route.name),
            route.sessions.to_string(),
            rate(route.opened),
            rate(route.refused),
            both(route.messages, rate),
            both(route.bytes, byte_rate),
        ]);
    }
    table
}

/// What had no route yet has no name.
fn name_of(route: &str) -> String {
    match route {
        "" => "(none)".to_owned(),
        name => name.to_owned(),
    }
}

fn plain_http(routes: &[PlainTraffic]) -> TextTable {
    let mut table = TextTable::new(PLAIN);
    for route in routes {
        table.row([
            name_of(&route.name),
            route.open.to_string(),
            rate(route.requests),
            rate(route.refused),
            route.failed.map_or_else(|| "-".to_owned(), share),
            route.head.map_or_else(|| "-".to_owned(), short_time),
            both(route.bytes, byte_rate),
        ]);
    }
    table
}

/// From the client, and from the upstream.
fn both(rates: [f64; 2], text: impl Fn(f64) -> String) -> String {
    let [client, upstream] = rates.map(text);
    format!("{client} / {upstream}")
}

fn servers(history: &History) -> TextTable {
    let mut table = TextTable::new(SERVERS);
    for server in &history.now().servers {
        let text = |key: &str| server[key].as_str().unwrap_or("?").to_owned();
        let number = |key: &str| server[key].as_u64().unwrap_or_default();
        let failed = number("failed_connects").saturating_add(number("failed_handshakes"));
        table.row([
            text("upstream"),
            text("server"),
            upstreams::state(server).to_owned(),
            number("sessions").to_string(),
            number("connecting").to_string(),
            failed.to_string(),
        ]);
    }
    table
}

fn clients(clients: &[Traffic]) -> TextTable {
    let mut table = TextTable::new(CLIENTS);
    for client in clients.iter().take(MOST_CLIENTS) {
        table.row([
            client.name.clone(),
            client.sessions.to_string(),
            rate(client.messages[0]),
            byte_rate(client.bytes[0]),
        ]);
    }
    table
}

fn endings(endings: &[RecentEnding<'_>]) -> TextTable {
    let mut table = TextTable::new(ENDINGS);
    for RecentEnding { ending, count, ago } in endings {
        let ago = ago.as_ref().map(Duration::as_secs).map(age);
        table.row([
            ending.what.to_owned(),
            ending.route.clone(),
            ending.reason.clone(),
            ending.closed_by.clone(),
            ending.code.clone(),
            count.to_string(),
            ago.map_or(String::new(), |ago| format!("{ago} ago")),
        ]);
    }
    table
}

fn plain(text: String) -> Line {
    let weight = Weight::Plain;
    Line { text, weight }
}

fn bold(text: String) -> Line {
    let weight = Weight::Bold;
    Line { text, weight }
}

fn reverse(text: String) -> Line {
    let weight = Weight::Reverse;
    Line { text, weight }
}

#[cfg(test)]
mod tests;
