//! How frames lie in the records of TLS: a frame's header and its payload share one.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use tokio::io::{AsyncReadExt, AsyncWriteExt, copy};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use tokio_tungstenite::tungstenite::Message;
use wsgate::Verdict;

use crate::kit::{Authority, Echo, Setup, Terminator, Validity, setup};

/// What the gate sends to a server of TLS, which is somewhere behind.
struct Tap {
    port: u16,
    sent: Arc<Mutex<Vec<u8>>>,
    _tasks: JoinSet<()>,
}

impl Tap {
    async fn before(server: SocketAddr) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let sent = Arc::<Mutex<Vec<u8>>>::default();
        let heard = Arc::clone(&sent);
        let mut tasks = JoinSet::new();
        tasks.spawn(async move {
            let (gate, _) = listener.accept().await.unwrap();
            let server = TcpStream::connect(server).await.unwrap();
            gate.set_nodelay(true).unwrap();
            server.set_nodelay(true).unwrap();
            let (mut from_gate, mut to_gate) = gate.into_split();
            let (mut from_server, mut to_server) = server.into_split();
            let out = async {
                let mut buffer = vec![0; 64 * 1024];
                while let Ok(length @ 1..) = from_gate.read(&mut buffer).await {
                    heard.lock().unwrap().extend(&buffer[..length]);
                    to_server.write_all(&buffer[..length]).await.unwrap();
                }
            };
            let _ended = tokio::join!(out, copy(&mut from_server, &mut to_gate));
        });
        Self {
            port,
            sent,
            _tasks: tasks,
        }
    }

    /// The lengths of the records with data so far (RFC 8446 §5.1).
    fn records(&self) -> Vec<usize> {
        const DATA: u8 = 23;
        let sent = self.sent.lock().unwrap();
        let (mut rest, mut lengths) = (&sent[..], Vec::new());
        while let [kind, _, _, high, low, behind @ ..] = rest {
            let length = usize::from(u16::from_be_bytes([*high, *low]));
            if *kind == DATA {
                lengths.push(length);
            }
            rest = &behind[length..];
        }
        lengths
    }
}

/// The records in which a frame with so much payload goes to a server.
async fn records_of(payload: usize, change: impl FnOnce(Setup) -> Setup) -> Vec<usize> {
    let (authority, echo) = (Authority::new(), Echo::start().await);
    let shown = authority.issue("localhost", Validity::Now);
    let server = Terminator::start(shown, echo.url(), None).await;
    let tap = Tap::before(server.address).await;
    let url = format!("wss://localhost:{}", tap.port);
    let trusting = setup([&*url]).upstream(&format!("tls.ca = {:?}", authority.file()));
    let bench = change(trusting).start().await;
    let mut socket = bench.open().await;
    let message = Message::text("x".repeat(payload));
    // What belongs to the handshakes is over then.
    socket.send(message.clone()).await;
    assert_eq!(socket.next().await, message);
    let before = tap.records().len();
    socket.send(message.clone()).await;
    assert_eq!(socket.next().await, message);
    let records = tap.records().split_off(before);
    socket.close().await;
    records
}

/// What a record adds to its contents in TLS 1.3: the type and the tag (RFC 8446 §5.2).
const ADDED: usize = 1 + 16;

#[tokio::test]
async fn the_header_and_the_payload_of_a_frame_share_a_record() {
    for (payload, header) in [(0, 6), (1, 6), (125, 6), (126, 8), (1000, 8)] {
        let whole = [header + payload + ADDED];
        assert_eq!(records_of(payload, |setup| setup).await, whole, "{payload}");
        let filtered = records_of(payload, |setup| {
            let plain = setup.route("compression = \"off\"");
            plain.build(|builder| builder.filter("test", |_| Verdict::Forward))
        });
        assert_eq!(filtered.await, whole, "{payload}, with a filter");
        let checked = records_of(payload, |setup| {
            setup.route("validate_utf8 = true\ncompression = \"off\"")
        });
        assert_eq!(checked.await, whole, "{payload}, with its text checked");
    }
}
