//! Heads of requests and responses as text.

/// A head as it was received.
#[derive(Clone, Debug)]
pub(crate) struct Head {
    /// The request line or the status line.
    pub(crate) line: String,
    /// Names in lower case, in their order.
    headers: Vec<(String, String)>,
}

/// A response, whole.
#[derive(Debug)]
pub(crate) struct Response {
    pub(crate) head: Head,
    pub(crate) body: Vec<u8>,
}

/// A right handshake, with further lines (each with its line end).
pub(crate) fn websocket(target: &str, host: &str, lines: &str) -> String {
    format!(
        "GET {target} HTTP/1.1\r\nHost: {host}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
         Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n{lines}\r\n"
    )
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

    /// The values of all lines with this name.
    pub(crate) fn all(&self, name: &str) -> Vec<&str> {
        let lines = self.headers.iter().filter(|(other, _)| other == name);
        lines.map(|(_, value)| value.as_str()).collect()
    }

    /// The value of the only line with this name.
    #[track_caller]
    pub(crate) fn one(&self, name: &str) -> &str {
        match self.all(name)[..] {
            [value] => value,
            ref values => panic!("{name} is {values:?} in {self:#?}"),
        }
    }
}

impl Response {
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
