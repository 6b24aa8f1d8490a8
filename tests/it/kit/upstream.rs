//! An upstream that does what a test says, step by step.

use std::path::Path;

use futures_util::FutureExt;
use tokio::net::{TcpListener, TcpSocket, UnixListener};

use super::{Head, Wire, soon, switching};

/// A listening socket. Nobody accepts on it but the test itself, which so sees each connection
/// in its order.
pub(crate) struct Upstream {
    socket: Socket,
    url: String,
}

enum Socket {
    Tcp(TcpListener),
    Unix(UnixListener),
    /// Bound, so that the port is nobody else's, but not listening.
    Dead(#[expect(dead_code, reason = "held, not used")] TcpSocket),
}

impl Upstream {
    pub(crate) async fn start() -> Self {
        let socket = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let url = format!("ws://{}", socket.local_addr().expect("an address"));
        let socket = Socket::Tcp(socket);
        Self { socket, url }
    }

    pub(crate) fn unix(path: &Path) -> Self {
        let socket = Socket::Unix(UnixListener::bind(path).expect("a socket"));
        let url = format!("unix:{}", path.display());
        Self { socket, url }
    }

    /// A port on which every connection is refused.
    pub(crate) fn dead() -> Self {
        let socket = TcpSocket::new_v4().expect("a socket");
        let any = "127.0.0.1:0".parse().expect("an address");
        socket.bind(any).expect("a port");
        let url = format!("ws://{}", socket.local_addr().expect("an address"));
        let socket = Socket::Dead(socket);
        Self { socket, url }
    }

    /// As the settings name it.
    pub(crate) fn url(&self) -> &str {
        &self.url
    }

    /// The next connection.
    #[track_caller]
    pub(crate) fn accept(&self) -> impl Future<Output = Wire> {
        soon("the gate to connect", async {
            match &self.socket {
                Socket::Tcp(socket) => {
                    let (stream, _) = socket.accept().await.expect("a connection");
                    stream.set_nodelay(true).expect("an option");
                    Wire::of_upstream(stream)
                }
                Socket::Unix(socket) => {
                    let (stream, _) = socket.accept().await.expect("a connection");
                    Wire::of_upstream(stream)
                }
                Socket::Dead(_) => panic!("nobody connects to a dead upstream"),
            }
        })
    }

    /// Whether nobody has connected by now.
    pub(crate) fn untouched(&self) -> bool {
        match &self.socket {
            Socket::Tcp(socket) => socket.accept().now_or_never().is_none(),
            Socket::Unix(socket) => socket.accept().now_or_never().is_none(),
            Socket::Dead(_) => true,
        }
    }

    /// The next connection, and the request on it.
    #[track_caller]
    pub(crate) fn request(&self) -> impl Future<Output = (Wire, Head)> {
        let wire = self.accept();
        async {
            let mut wire = wire.await;
            let request = wire.head().await;
            (wire, request)
        }
    }

    /// The next connection, its handshake answered as it should be.
    #[track_caller]
    pub(crate) fn session(&self) -> impl Future<Output = Wire> {
        let asked = self.request();
        async {
            let (mut wire, request) = asked.await;
            wire.send(switching(&request, "")).await;
            wire
        }
    }
}
