//! Upstreams that answer a handshake as a case says, byte by byte.

use tokio_tungstenite::tungstenite::handshake::derive_accept_key;

use super::Stage;
use super::{Frame, Head, Request, Wire};

/// What a scripted upstream sends, and what it does with its connection then.
pub(crate) struct Answer {
    bytes: Vec<u8>,
    then: Then,
}

enum Then {
    /// It keeps its connection, for the gate to end.
    Keep,
    /// It ends its half.
    End,
    /// It sends this over and over, until the gate has hung up.
    Repeat(Vec<u8>),
}

/// In an answer, the value of `Sec-WebSocket-Accept` that is right for the request.
pub(crate) const ACCEPT: &str = "{accept}";

impl Answer {
    pub(crate) fn new(bytes: impl Into<Vec<u8>>) -> Self {
        let (bytes, then) = (bytes.into(), Then::Keep);
        Self { bytes, then }
    }

    /// The right 101, with further lines (each with its line end).
    pub(crate) fn right(lines: &str) -> Self {
        Self::new(format!(
            "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
             Sec-WebSocket-Accept: {ACCEPT}\r\n{lines}\r\n"
        ))
    }

    /// These bytes behind the answer, in one segment with it.
    pub(crate) fn and(mut self, bytes: &[u8]) -> Self {
        self.bytes.extend_from_slice(bytes);
        self
    }

    /// The upstream ends its half behind the answer.
    pub(crate) fn and_ends(self) -> Self {
        let then = Then::End;
        Self { then, ..self }
    }

    /// The upstream sends this behind the answer for as long as somebody takes it.
    pub(crate) fn and_repeats(self, bytes: impl Into<Vec<u8>>) -> Self {
        let then = Then::Repeat(bytes.into());
        Self { then, ..self }
    }

    /// The bytes for this request.
    pub(crate) fn to(&self, request: &Head) -> Vec<u8> {
        let key = request.one("sec-websocket-key");
        let accept = derive_accept_key(key.as_bytes());
        let (mut rest, mut bytes) = (&*self.bytes, Vec::new());
        while let Some(at) = find(rest, ACCEPT.as_bytes()) {
            bytes.extend_from_slice(&rest[..at]);
            bytes.extend_from_slice(accept.as_bytes());
            rest = &rest[at + ACCEPT.len()..];
        }
        bytes.extend_from_slice(rest);
        bytes
    }

    async fn play(self, server: &mut Wire, request: &Head) {
        let bytes = self.to(request);
        // The gate may have heard enough before all of it is out.
        let mut taken = server.try_send(&bytes).await;
        match self.then {
            Then::Keep => {}
            Then::End => server.shut().await,
            Then::Repeat(again) => {
                while taken {
                    taken = server.try_send(&again).await;
                }
            }
        }
        server.end().await;
    }
}

impl Stage {
    /// Plays a handshake whose upstream gives this answer, which has to be refused: with this
    /// status, for this reason, and with the end of both connections.
    #[track_caller]
    pub(crate) fn answered<'a>(
        &'a mut self,
        what: &'a str,
        answer: Answer,
        status: u16,
        reason: &'a str,
    ) -> impl Future<Output = (Head, String)> + 'a {
        let request = Self::handshake();
        let at = std::panic::Location::caller();
        async move {
            self.answered_to(&request, &format!("{at}: {what}"), answer, status, reason)
                .await
        }
    }

    /// The same for this request.
    pub(crate) async fn answered_to(
        &mut self,
        request: &Request,
        what: &str,
        answer: Answer,
        status: u16,
        reason: &str,
    ) -> (Head, String) {
        let mut client = self.client().await;
        client.send(request.text()).await;
        let (mut server, asked) = self.upstream.request().await;
        let asking = async {
            let (head, body) = client.response().await.parts();
            assert_eq!(head.status(), status, "{what}: {head:#?}");
            client.expect_end().await;
            (head, body)
        };
        let (response, ()) = tokio::join!(asking, answer.play(&mut server, &asked));
        assert!(self.upstream.untouched(), "{what}: it was dialled again");
        self.refuses(reason);
        response
    }

    /// Plays a handshake whose upstream gives this answer, which has to open a session.
    pub(crate) async fn switched(
        &mut self,
        request: &Request,
        what: &str,
        answer: Answer,
    ) -> (Wire, Wire, Head) {
        let mut client = self.client().await;
        client.send(request.text()).await;
        let (mut server, asked) = self.upstream.request().await;
        server.send(answer.to(&asked)).await;
        let head = client.head().await;
        assert_eq!(head.status(), 101, "{what}: {head:#?}");
        self.was_accepted();
        (client, server, head)
    }

    /// Checks that frames go both ways, and closes the session.
    pub(crate) async fn talks(&mut self, mut client: Wire, mut server: Wire) {
        for frame in [Frame::text("hello"), Frame::close(1000, "")] {
            client.send_frame(&frame).await;
            server.expect(frame.clone()).await;
            server.send_frame(&frame).await;
            client.expect(frame).await;
        }
        client.end().await;
        server.shut().await;
        server.end().await;
        self.ends("closed");
    }
}

fn find(bytes: &[u8], wanted: &[u8]) -> Option<usize> {
    let mut windows = bytes.windows(wanted.len());
    windows.position(|window| window == wanted)
}
