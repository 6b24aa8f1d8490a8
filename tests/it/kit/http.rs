//! Heads of requests and responses as text, written by hand so that they can be wrong.

use tokio_tungstenite::tungstenite::handshake::derive_accept_key;

/// A request's head. It begins as a right handshake for `gate.test`.
#[derive(Clone)]
pub(crate) struct Request {
    line: String,
    headers: Vec<(String, String)>,
}

/// The key of every client here: that of RFC 6455 §1.3.
const KEY: &str = "dGhlIHNhbXBsZSBub25jZQ==";

impl Request {
    pub(crate) fn websocket(target: &str) -> Self {
        Self::plain(target)
            .header("Upgrade", "websocket")
            .header("Connection", "Upgrade")
            .header("Sec-WebSocket-Key", KEY)
            .header("Sec-WebSocket-Version", "13")
    }

    /// A request that asks for no WebSocket.
    pub(crate) fn plain(target: &str) -> Self {
        let line = format!("GET {target} HTTP/1.1");
        let headers = Vec::new();
        Self { line, headers }.header("Host", "gate.test")
    }

    /// Another request line.
    pub(crate) fn line(mut self, line: &str) -> Self {
        self.line = line.to_owned();
        self
    }

    /// One more header line.
    pub(crate) fn header(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }

    /// One header line in the place of all that have this name.
    pub(crate) fn with(self, name: &str, value: &str) -> Self {
        self.without(name).header(name, value)
    }

    pub(crate) fn without(mut self, name: &str) -> Self {
        self.headers
            .retain(|(other, _)| !other.eq_ignore_ascii_case(name));
        self
    }

    pub(crate) fn text(&self) -> String {
        let lines = self.headers.iter();
        let lines = lines.map(|(name, value)| format!("{name}: {value}\r\n"));
        format!("{}\r\n{}\r\n", self.line, lines.collect::<String>())
    }
}

/// A head as it was received.
#[derive(Clone, Debug)]
pub(crate) struct Head {
    pub(crate) line: String,
    /// Names in lower case, in their order.
    headers: Vec<(String, String)>,
}

impl Head {
    pub(super) fn read(text: &str) -> Self {
        let mut lines = text.split("\r\n");
        let line = lines.next().unwrap_or_default().to_owned();
        let headers = lines.filter(|line| !line.is_empty()).map(|line| {
            let (name, value) = line.split_once(':').expect("a header");
            (name.to_ascii_lowercase(), value.trim().to_owned())
        });
        let headers = headers.collect();
        Self { line, headers }
    }

    /// A response's status.
    pub(crate) fn status(&self) -> u16 {
        let status = self.line.split(' ').nth(1).expect("a status line");
        status.parse().expect("a status")
    }

    /// A request's target.
    pub(crate) fn target(&self) -> &str {
        self.line.split(' ').nth(1).expect("a request line")
    }

    /// The values of all lines with this name.
    pub(crate) fn all(&self, name: &str) -> Vec<&str> {
        let lines = self.headers.iter().filter(|(other, _)| other == name);
        lines.map(|(_, value)| value.as_str()).collect()
    }

    /// The names of all lines, sorted.
    pub(crate) fn names(&self) -> Vec<&str> {
        let mut names: Vec<_> = self.headers.iter().map(|(name, _)| name.as_str()).collect();
        names.sort_unstable();
        names
    }

    /// The value of the only line with this name.
    #[track_caller]
    pub(crate) fn one(&self, name: &str) -> &str {
        match self.all(name)[..] {
            [value] => value,
            ref values => panic!("{name} is {values:?} in {self:#?}"),
        }
    }

    /// Checks what there is of each header; "" is none.
    #[track_caller]
    pub(crate) fn assert(&self, expected: &[(&str, &str)]) {
        for (name, value) in expected {
            let found = self.all(name).join(" | ");
            assert_eq!(&found, value, "{name} in {self:#?}");
        }
    }
}

/// A response, whole.
#[derive(Debug)]
pub(crate) struct Response {
    pub(crate) head: Head,
    pub(crate) body: Vec<u8>,
}

impl Response {
    /// The head, and the body as text.
    pub(crate) fn parts(self) -> (Head, String) {
        (self.head, String::from_utf8(self.body).expect("text"))
    }

    pub(crate) fn status(&self) -> u16 {
        self.head.status()
    }

    pub(crate) fn text(&self) -> &str {
        std::str::from_utf8(&self.body).expect("text")
    }

    pub(crate) fn json(&self) -> serde_json::Value {
        serde_json::from_slice(&self.body).expect("JSON")
    }
}

/// A right handshake for this host, with further lines (each with its line end).
pub(crate) fn websocket(target: &str, host: &str, lines: &str) -> String {
    let text = Request::websocket(target).text();
    let text = text.replacen("Host: gate.test", &format!("Host: {host}"), 1);
    let (head, _) = text.split_at(text.len() - 2);
    format!("{head}{lines}\r\n")
}

/// The right 101 to a request, with further lines (each with its line end).
pub(crate) fn switching(request: &Head, lines: &str) -> String {
    let accept = derive_accept_key(request.one("sec-websocket-key").as_bytes());
    format!(
        "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
         Sec-WebSocket-Accept: {accept}\r\n{lines}\r\n"
    )
}

/// An answer with a body, and further lines (each with its line end).
pub(crate) fn answer(status: &str, lines: &str, body: &str) -> String {
    let length = body.len();
    format!("HTTP/1.1 {status}\r\nContent-Length: {length}\r\n{lines}\r\n{body}")
}
