//! A server that does what a test says, step by step.

use tokio::net::{TcpListener, TcpSocket};

use super::{Head, Wire, soon};

/// A listening socket. Nobody accepts on it but the test itself.
pub(crate) struct Upstream {
    listener: TcpListener,
}

impl Upstream {
    pub(crate) async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        Self { listener }
    }

    /// A port that refuses every connection for as long as the socket is held.
    pub(crate) fn dead() -> (TcpSocket, String) {
        let socket = TcpSocket::new_v4().expect("a socket");
        let any = "127.0.0.1:0".parse().expect("an address");
        socket.bind(any).expect("a port");
        let url = format!("ws://{}", socket.local_addr().expect("an address"));
        (socket, url)
    }

    /// As the settings name it.
    pub(crate) fn url(&self) -> String {
        format!("ws://{}", self.listener.local_addr().expect("an address"))
    }

    /// The next connection.
    #[track_caller]
    pub(crate) fn accept(&self) -> impl Future<Output = Wire> {
        soon("the program to connect", async {
            let (stream, _) = self.listener.accept().await.expect("a connection");
            stream.set_nodelay(true).expect("an option");
            Wire::new(stream)
        })
    }

    /// The next connection, and the head of the request on it.
    #[track_caller]
    pub(crate) fn request(&self) -> impl Future<Output = (Wire, Head)> {
        let wire = self.accept();
        async {
            let mut wire = wire.await;
            let head = wire.head().await;
            (wire, head)
        }
    }
}
