//! An application that publishes: requests on one connection, one after the other.

use super::{Program, Response, Wire};

/// A connection to the publish interface, with a token.
pub(crate) struct Publisher {
    pub(crate) wire: Wire,
    token: &'static str,
}

/// The token of [`PUBLISH`] that may do everything.
pub(crate) const ALL: &str = "all-t0ken";

/// The token of [`PUBLISH`] that may publish to users, and nothing else.
pub(crate) const BILLING: &str = "b1lling-t0ken";

/// Settings with a publish interface, in front of `[publish.tls]` or another table.
pub(crate) const PUBLISH: &str = "[publish]\naddress = \"127.0.0.1:0\"\n\
    tokens = [\
    { name = \"all\", token = \"all-t0ken\", channels = [\"**\"], direct = true, tickets = true },\
    { name = \"billing\", token = \"b1lling-t0ken\", channels = [\"user.*\"] }]\n";

impl Publisher {
    /// Connects to the publish interface of a program.
    pub(crate) async fn of(program: &Program, token: &'static str) -> Self {
        Self::at(&program.publish().await, token).await
    }

    /// Connects to a publish interface.
    pub(crate) async fn at(address: &str, token: &'static str) -> Self {
        Self::on(Wire::connect(address).await, token)
    }

    pub(crate) fn on(wire: Wire, token: &'static str) -> Self {
        Self { wire, token }
    }

    /// The bytes of a request, with further lines of its head (each with its line end).
    pub(crate) fn request(&self, line: &str, lines: &str, body: impl AsRef<[u8]>) -> Vec<u8> {
        let body = body.as_ref();
        let head = format!(
            "{line} HTTP/1.1\r\nHost: publish.test\r\nAuthorization: Bearer {}\r\n\
             Content-Length: {}\r\n{lines}\r\n",
            self.token,
            body.len()
        );
        [head.as_bytes(), body].concat()
    }

    /// The response to a request.
    pub(crate) async fn ask(
        &mut self,
        line: &str,
        lines: &str,
        body: impl AsRef<[u8]>,
    ) -> Response {
        let request = self.request(line, lines, body);
        self.wire.send(request).await;
        self.wire.response().await
    }

    /// The response to a GET, DELETE or PUT.
    pub(crate) async fn get(&mut self, line: &str) -> Response {
        self.ask(line, "", "").await
    }

    /// Publishes a text, and returns how many sessions it reached.
    pub(crate) async fn publish(&mut self, target: &str, text: &str) -> u64 {
        let response = self.ask(&format!("POST {target}"), "", text).await;
        assert_eq!(response.status(), 200, "{response:?}");
        response.json()["reached"].as_u64().expect("a number")
    }
}
