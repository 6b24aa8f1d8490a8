//! A peer that breaks the rules of a session, and all that both sides see of it.

use futures_util::future::join;

use super::stage::Stage;
use super::{Frame, Wire, switching};

/// Which side it is that attacks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Side {
    Client,
    Upstream,
}

/// Bytes that neither side may send, and the word for it in the log.
#[derive(Clone)]
pub(crate) struct Fault {
    what: String,
    word: &'static str,
    sent: Bytes,
    /// What of it is right, and arrives as it was sent.
    arrives: Bytes,
    /// More follows it.
    goes_on: bool,
}

/// The same as a client sends it and as an upstream does.
#[derive(Clone, Default)]
struct Bytes {
    masked: Vec<u8>,
    plain: Vec<u8>,
}

/// How the bytes come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Delivery {
    Whole,
    /// Their beginning byte by byte.
    Dripped,
    /// In one write with the handshake.
    Early,
}

/// So much stands behind a handshake without being held up by it.
const MOST_EARLY: usize = 4096;

impl Fault {
    /// A frame that is wrong whoever sends it.
    pub(crate) fn frame(word: &'static str, what: &str, frame: &Frame) -> Self {
        Self::frames(word, what, std::slice::from_ref(frame))
    }

    /// Frames that are wrong together.
    pub(crate) fn frames(word: &'static str, what: &str, frames: &[Frame]) -> Self {
        let bytes = Bytes::of(frames);
        Self::bytes(word, what, bytes.masked, bytes.plain)
    }

    /// What is wrong if a client sends it, and what is if an upstream does.
    pub(crate) fn bytes(
        word: &'static str,
        what: &str,
        client: impl Into<Vec<u8>>,
        upstream: impl Into<Vec<u8>>,
    ) -> Self {
        Self {
            what: what.to_owned(),
            word,
            sent: Bytes {
                masked: client.into(),
                plain: upstream.into(),
            },
            arrives: Bytes::default(),
            goes_on: true,
        }
    }

    /// Nothing comes behind the first so many bytes of it: that is enough to know.
    pub(crate) fn cut(mut self, length: usize) -> Self {
        self.sent.masked.truncate(length);
        self.sent.plain.truncate(length);
        self.goes_on = false;
        self
    }

    /// Behind frames that are right.
    pub(crate) fn behind(self, frames: &[Frame]) -> Self {
        let before = Bytes::of(frames);
        Self {
            what: format!("{} behind {} frames", self.what, frames.len()),
            sent: before.clone().then(&self.sent),
            arrives: before.then(&self.arrives),
            ..self
        }
    }

    /// With frames in it that arrive.
    pub(crate) fn but(mut self, frames: &[Frame]) -> Self {
        self.arrives = Bytes::of(frames);
        self
    }
}

impl Bytes {
    fn of(frames: &[Frame]) -> Self {
        Self {
            masked: frames.iter().flat_map(Frame::masked).collect(),
            plain: frames.iter().flat_map(Frame::plain).collect(),
        }
    }

    fn then(mut self, next: &Self) -> Self {
        self.masked.extend_from_slice(&next.masked);
        self.plain.extend_from_slice(&next.plain);
        self
    }

    fn from(&self, from: Side) -> &[u8] {
        match from {
            Side::Client => &self.masked,
            Side::Upstream => &self.plain,
        }
    }
}

/// What the client and the upstream are told (the table in docs/architecture.md).
fn farewells(word: &str, from: Side) -> [Frame; 2] {
    let tell = |client: (u16, &str), upstream: (u16, &str)| {
        [client, upstream].map(|(code, reason)| Frame::close(code, reason))
    };
    match (word, from) {
        ("bad_utf8", Side::Client) => tell((1007, "text is not UTF-8"), (1001, "")),
        ("bad_utf8", Side::Upstream) => tell(
            (1011, "upstream text is not UTF-8"),
            (1007, "text is not UTF-8"),
        ),
        ("too_big", Side::Client) => tell((1009, "message too big"), (1001, "")),
        ("too_big", Side::Upstream) => tell(
            (1009, "upstream message too big"),
            (1009, "message too big"),
        ),
        ("frag_limit", Side::Client) => tell((1008, "message in too many fragments"), (1001, "")),
        ("frag_limit", Side::Upstream) => tell(
            (1011, "upstream message in too many fragments"),
            (1008, "message in too many fragments"),
        ),
        (_, Side::Client) => tell((1002, "protocol error"), (1001, "")),
        (_, Side::Upstream) => tell((1011, "upstream protocol error"), (1002, "protocol error")),
    }
}

impl Stage {
    /// Plays faults in both directions, however they come.
    pub(crate) async fn breaks(&mut self, faults: &[Fault]) {
        for fault in faults {
            for from in [Side::Client, Side::Upstream] {
                for delivery in [Delivery::Whole, Delivery::Dripped, Delivery::Early] {
                    if delivery == Delivery::Whole || fault.sent.from(from).len() < MOST_EARLY {
                        println!("{}: {}, {from:?}, {delivery:?}", fault.word, fault.what);
                        self.plays(fault, from, delivery).await;
                    }
                }
            }
        }
    }

    /// Plays one: both sides are told to close, the honest one has seen what was right and
    /// nothing else, and the other's bytes end there.
    async fn plays(&mut self, fault: &Fault, from: Side, delivery: Delivery) {
        let mut sent = fault.sent.from(from).to_vec();
        if fault.goes_on {
            let more = Bytes::of(&[Frame::text(super::CANARY), Frame::ping(super::CANARY)]);
            sent.extend_from_slice(more.from(from));
        }
        let (mut client, mut server) = match delivery {
            Delivery::Early => self.session_and(from, &sent).await,
            Delivery::Whole | Delivery::Dripped => self.session().await,
        };
        let [to_client, to_upstream] = farewells(fault.word, from);
        let code = u16::from_be_bytes([to_client.payload[0], to_client.payload[1]]);
        let arrives = fault.arrives.from(from);
        let (attacker, honest, told) = match from {
            Side::Client => (&mut client, &mut server, to_upstream.clone()),
            Side::Upstream => (&mut server, &mut client, to_client.clone()),
        };
        let (_, arrived) = join(
            deliver(attacker, &sent, delivery),
            honest.take(arrives.len()),
        )
        .await;
        assert!(arrived == arrives, "what was right has not arrived");
        honest.expect(told).await;
        match from {
            Side::Client => client.expect(to_client).await,
            Side::Upstream => server.expect(to_upstream).await,
        }
        answers_and_ends(client, server, from).await;
        self.ends_by(fault.word, from, code);
    }

    /// A session with bytes of one side's right behind its handshake.
    async fn session_and(&mut self, from: Side, early: &[u8]) -> (Wire, Wire) {
        let mut client = self.client().await;
        let mut request = Self::handshake().text().into_bytes();
        if from == Side::Client {
            request.extend_from_slice(early);
        }
        client.send(request).await;
        let (mut server, asked) = self.upstream.request().await;
        let mut answer = switching(&asked, "").into_bytes();
        if from == Side::Upstream {
            answer.extend_from_slice(early);
        }
        server.send(answer).await;
        let answer = client.head().await;
        assert_eq!(answer.status(), 101, "{answer:?}");
        self.was_accepted();
        (client, server)
    }

    /// Ends a session as two peers do that have nothing more to say.
    pub(crate) async fn parts(&mut self, mut client: Wire, mut server: Wire) {
        let close = Frame::close(1000, "");
        client.send_frame(&close).await;
        server.expect(close.clone()).await;
        server.send_frame(&close).await;
        server.shut().await;
        client.expect(close).await;
        client.expect_end().await;
        client.shut().await;
        server.expect_end().await;
        self.ends("closed");
        // Its places are free by now.
        self.told_every_end("closed").await;
    }

    /// Checks that frames pass as the bytes that they are.
    pub(crate) async fn passes(sender: &mut Wire, receiver: &mut Wire, frames: &[Frame]) {
        let bytes = frames.iter().map(|frame| sender.encode(frame));
        let bytes = bytes.collect::<Vec<_>>().concat();
        let (_, arrived) = join(sender.send(&bytes), receiver.take(bytes.len())).await;
        assert!(arrived == bytes, "{frames:?}");
    }
}

async fn deliver(attacker: &mut Wire, bytes: &[u8], delivery: Delivery) {
    match delivery {
        Delivery::Early => {}
        Delivery::Whole => attacker.send(bytes).await,
        Delivery::Dripped => {
            let (dripped, rest) = bytes.split_at(bytes.len().min(64));
            for byte in dripped {
                attacker.send([*byte]).await;
            }
            attacker.send(rest).await;
        }
    }
}

/// What peers do that were told to close: the honest one answers, the attacker waits for its end.
async fn answers_and_ends(mut client: Wire, mut server: Wire, from: Side) {
    match from {
        Side::Client => {
            client.expect_end().await;
            client.shut().await;
            server.send_frame(&Frame::bare_close()).await;
            server.shut().await;
            server.expect_end().await;
        }
        Side::Upstream => {
            server.expect_end().await;
            server.shut().await;
            client.send_frame(&Frame::bare_close()).await;
            client.expect_end().await;
            client.shut().await;
        }
    }
}
