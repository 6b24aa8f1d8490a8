//! Publishes with one request of HTTP each, on a connection that stays open where the server keeps it.

use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream};

use super::wire;

pub(crate) struct Publisher {
    address: SocketAddr,
    form: Form,
    stream: Option<TcpStream>,
    answer: Vec<u8>,
    is_waiting: bool,
}

/// Writes the request that publishes a text.
pub(crate) type Form = fn(&str) -> String;

impl Publisher {
    pub(crate) fn new(address: SocketAddr, form: Form) -> Self {
        Self {
            address,
            form,
            stream: None,
            answer: Vec::new(),
            is_waiting: false,
        }
    }

    pub(crate) fn publish(&mut self, text: &str) -> io::Result<()> {
        let request = (self.form)(text);
        let stream = match &mut self.stream {
            Some(stream) => stream,
            None => {
                let stream = TcpStream::connect(self.address)?;
                stream.set_nodelay(true)?;
                self.stream.insert(stream)
            }
        };
        stream.set_nonblocking(false)?;
        stream.write_all(request.as_bytes())?;
        stream.set_nonblocking(true)?;
        self.is_waiting = true;
        Ok(())
    }

    /// Whether the answer to the last request has come, or is not there yet.
    pub(crate) fn is_answered(&mut self) -> io::Result<bool> {
        let Some(stream) = self.stream.as_mut().filter(|_| self.is_waiting) else {
            return Ok(true);
        };
        let mut piece = [0; 1024];
        match stream.read(&mut piece) {
            Ok(0) => return Err(io::Error::other("no answer to a publication")),
            Ok(length) => self.answer.extend_from_slice(&piece[..length]),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(false),
            Err(error) => return Err(error),
        }
        let Some(end) = wire::head_end(&self.answer) else {
            return Ok(false);
        };
        let head = String::from_utf8_lossy(&self.answer[..end]).to_ascii_lowercase();
        let field = |name: &str| {
            let mut lines = head.lines().filter_map(|line| line.split_once(':'));
            let found = lines.find(|(found, _)| *found == name);
            found.map(|(_, value)| value.trim().to_owned())
        };
        let length = field("content-length").and_then(|length| length.parse::<usize>().ok());
        let length = length.ok_or_else(|| io::Error::other("an answer without a length"))?;
        if self.answer.len() < end + length {
            return Ok(false);
        }
        if !head.starts_with("http/1.1 200") {
            let answer = String::from_utf8_lossy(&self.answer);
            return Err(io::Error::other(format!("not published: {answer}")));
        }
        if field("connection").is_some_and(|value| value == "close") {
            self.stream = None;
        }
        self.answer.clear();
        self.is_waiting = false;
        Ok(true)
    }
}

/// wsgate's form, with the token of the settings.
pub(crate) fn to_wsgate(text: &str) -> String {
    let token = "Authorization: Bearer of-the-benchmark-and-nobody-else\r\n";
    request("/channels/all", token, text)
}

/// The text as it is, with more lines in the head.
pub(crate) fn request(path: &str, more: &str, body: &str) -> String {
    format!(
        "POST {path} HTTP/1.1\r\nHost: 127.0.0.1\r\n{more}Content-Type: text/plain\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    )
}
