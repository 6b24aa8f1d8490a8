//! The accept loop.

use std::fs::File;
use std::io;
use std::net::SocketAddr;
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream as BlockingUnixStream;
use std::pin::Pin;
use std::sync::{Arc, Weak};
use std::time::Duration;

use socket2::SockRef;
use tokio::net::{TcpListener, TcpStream, UnixListener, UnixStream};

use super::address::BoundAddress;
use super::bind::{Listener, ListeningSocket, SocketFile};
use crate::server::http::last_answer::refuse_at_once;
use crate::server::http::limiter::ConnectionLimiter;
use crate::server::logging::LogInterval;
use crate::{ClientAddr, Transport};

/// Accepts connections for as long as it is polled. No error ends it.
pub(crate) struct Acceptor {
    address: BoundAddress,
    /// Dropping it closes the socket.
    socket: Arc<AcceptingSocket>,
    vacancy: Vacancy,
    reserve: Reserve,
    log_interval: LogInterval,
}

/// A socket that connections are accepted on.
#[derive(Debug)]
pub(crate) enum AcceptingSocket {
    Tcp(TcpListener),
    /// The file is removed with the listener if it is ours.
    Unix(UnixListener, Option<SocketFile>),
}

/// An accepted connection, on the runtime that accepted it.
#[derive(Debug)]
pub(crate) enum Accepted {
    Tcp(TcpStream, SocketAddr),
    Unix(UnixStream),
}

/// An accepted connection on its way to another runtime.
#[derive(Debug)]
pub(crate) enum Detached {
    Tcp(std::net::TcpStream, SocketAddr),
    Unix(BlockingUnixStream),
}

/// When another connection may be accepted.
pub(crate) enum Vacancy {
    Always,
    /// Within the limit on connections of clients.
    Limited(Arc<ConnectionLimiter>),
    /// When this resolves.
    When(Arc<Vacant>),
}

type Vacant = dyn Fn() -> Pin<Box<dyn Future<Output = ()> + Send>> + Send + Sync;

impl Vacancy {
    /// Whenever what `vacant` returns resolves.
    pub(crate) fn when<F>(vacant: impl Fn() -> F + Send + Sync + 'static) -> Self
    where
        F: Future<Output = ()> + Send + 'static,
    {
        Self::When(Arc::new(move || Box::pin(vacant())))
    }
}

/// Serves an accepted connection.
pub(crate) type Dispatch = Arc<dyn Fn(Accepted) + Send + Sync>;

/// How long to wait when the system has no resources left.
const BACK_OFF: Duration = Duration::from_millis(50);

/// The least time between two log lines about a listener in trouble.
const LOG_INTERVAL: Duration = Duration::from_secs(5);

impl Acceptor {
    /// Must be called on the runtime that will run it.
    pub(crate) fn new(listener: Listener) -> io::Result<Self> {
        let Listener {
            address, socket, ..
        } = listener;
        Ok(Self {
            address,
            socket: Arc::new(match socket {
                ListeningSocket::Tcp(socket) => {
                    AcceptingSocket::Tcp(TcpListener::from_std(socket)?)
                }
                ListeningSocket::Unix(socket, file) => {
                    AcceptingSocket::Unix(UnixListener::from_std(socket)?, file)
                }
            }),
            vacancy: Vacancy::Always,
            reserve: Reserve::new(),
            log_interval: LogInterval::new(LOG_INTERVAL),
        })
    }

    /// Accepts when there is a vacancy.
    pub(crate) fn limited_by(mut self, vacancy: Vacancy) -> Self {
        self.vacancy = vacancy;
        self
    }

    /// Its socket, for as long as it is open.
    pub(crate) fn socket(&self) -> Weak<AcceptingSocket> {
        Arc::downgrade(&self.socket)
    }

    pub(crate) async fn run(mut self, dispatch: Dispatch) {
        loop {
            match &self.vacancy {
                Vacancy::Always => {}
                Vacancy::Limited(limiter) => limiter.ready_to_accept().await,
                Vacancy::When(vacant) => vacant().await,
            }
            match self.socket.accept().await {
                Ok(accepted) => dispatch(accepted),
                Err(error) => self.recover(error).await,
            }
        }
    }

    async fn recover(&mut self, error: io::Error) {
        match AcceptErrorKind::of(&error) {
            AcceptErrorKind::Connection => {
                tracing::debug!(%error, "a connection was lost before it was accepted");
            }
            AcceptErrorKind::Descriptors => {
                self.log_error(&error);
                // In the queue the connection would wake the loop again at once; closed, it tells its
                // client.
                if !self.reserve.turn_away(&self.socket) {
                    tokio::time::sleep(BACK_OFF).await;
                }
            }
            AcceptErrorKind::System => {
                self.log_error(&error);
                tokio::time::sleep(BACK_OFF).await;
            }
        }
    }

    fn log_error(&self, error: &io::Error) {
        if self.log_interval.admit() {
            let listener = &self.address;
            tracing::error!(%listener, %error, "connections cannot be accepted");
        }
    }
}

impl AcceptingSocket {
    async fn accept(&self) -> io::Result<Accepted> {
        match self {
            Self::Tcp(listener) => {
                let (stream, client) = listener.accept().await?;
                Ok(Accepted::Tcp(stream, client))
            }
            Self::Unix(listener, _) => Ok(Accepted::Unix(listener.accept().await?.0)),
        }
    }

    fn socket(&self) -> SockRef<'_> {
        match self {
            Self::Tcp(listener) => SockRef::from(listener),
            Self::Unix(listener, _) => SockRef::from(listener),
        }
    }

    /// A copy for another process to accept on.
    pub(crate) fn copy(&self) -> io::Result<OwnedFd> {
        Ok(self.socket().try_clone()?.into())
    }

    /// Sets whether its file is this process's, or that of another process with a copy.
    pub(crate) fn set_file_ours(&self, is_ours: bool) {
        if let Self::Unix(_, Some(file)) = self {
            file.set_ours(is_ours);
        }
    }
}

impl Accepted {
    /// The socket and its peer's address.
    pub(crate) fn into_transport(self) -> (Transport, ClientAddr) {
        match self {
            Self::Tcp(stream, client) => (Transport::Tcp(stream), client.into()),
            Self::Unix(stream) => (Transport::Unix(stream), ClientAddr::Unix),
        }
    }

    /// Takes the socket off this runtime, for another one.
    pub(crate) fn detach(self) -> io::Result<Detached> {
        Ok(match self {
            Self::Tcp(stream, client) => Detached::Tcp(stream.into_std()?, client),
            Self::Unix(stream) => Detached::Unix(stream.into_std()?),
        })
    }
}

impl Detached {
    /// Puts the socket on the runtime that this is called on.
    pub(crate) fn attach(self) -> io::Result<Accepted> {
        Ok(match self {
            Self::Tcp(stream, client) => Accepted::Tcp(TcpStream::from_std(stream)?, client),
            Self::Unix(stream) => Accepted::Unix(UnixStream::from_std(stream)?),
        })
    }
}

/// The cause of an error of `accept`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum AcceptErrorKind {
    /// This connection only: the next one may be fine.
    Connection,
    /// The process or the system has no descriptor left.
    Descriptors,
    /// Memory, buffers, or anything else.
    System,
}

impl AcceptErrorKind {
    fn of(error: &io::Error) -> Self {
        use rustix::io::Errno;
        if let Some(code) = error.raw_os_error() {
            let errno = Errno::from_raw_os_error(code);
            if [Errno::MFILE, Errno::NFILE].contains(&errno) {
                return Self::Descriptors;
            }
            // accept(2): errors that are already pending on the new socket come out here.
            let pending = [
                Errno::CONNABORTED,
                Errno::CONNRESET,
                Errno::INTR,
                Errno::PERM,
                Errno::PROTO,
                Errno::NOPROTOOPT,
                Errno::NETDOWN,
                Errno::NETUNREACH,
                Errno::HOSTUNREACH,
                Errno::TIMEDOUT,
            ];
            if pending.contains(&errno) {
                return Self::Connection;
            }
        }
        Self::System
    }
}

/// A descriptor that is kept in reserve, to accept and refuse a connection when there is no other.
struct Reserve(Option<File>);

impl Reserve {
    fn new() -> Self {
        Self(File::open("/dev/null").ok())
    }

    /// Accepts one connection, answers 503 and closes it; false if even that fails.
    fn turn_away(&mut self, listener: &AcceptingSocket) -> bool {
        let kept_back = self.0.take().is_some();
        let accepted = kept_back.then(|| listener.socket().accept());
        let turned_away = accepted.is_some_and(|accepted| match accepted {
            Ok((socket, _)) => {
                refuse_at_once(&SockRef::from(&socket));
                true
            }
            Err(_) => false,
        });
        *self = Self::new();
        turned_away
    }
}

#[cfg(test)]
mod tests {
    use tokio::sync::mpsc;

    use super::*;
    use crate::config::ListenAddress;
    use crate::server::PassedSockets;

    fn acceptor() -> (Acceptor, SocketAddr) {
        let address = ListenAddress::Tcp("127.0.0.1:0".parse().unwrap());
        let listener = Listener::bind(&address, &PassedSockets::default(), false).unwrap();
        let address = listener.address.tcp().unwrap();
        (Acceptor::new(listener).unwrap(), address)
    }

    #[test]
    fn only_an_error_of_the_connection_is_no_reason_to_wait() {
        use rustix::io::Errno;
        for (code, trouble) in [
            (Errno::MFILE, AcceptErrorKind::Descriptors),
            (Errno::NFILE, AcceptErrorKind::Descriptors),
            (Errno::CONNABORTED, AcceptErrorKind::Connection),
            (Errno::NOBUFS, AcceptErrorKind::System),
            (Errno::INVAL, AcceptErrorKind::System),
        ] {
            assert_eq!(AcceptErrorKind::of(&code.into()), trouble, "{code:?}");
        }
    }

    #[tokio::test]
    async fn a_connection_that_is_turned_away_is_closed_and_the_reserve_is_back() {
        let (mut acceptor, address) = acceptor();
        let mut client = std::net::TcpStream::connect(address).unwrap();
        io::Write::write_all(&mut client, b"GET /ws HTTP/1.1\r\n").unwrap();
        while !acceptor.reserve.turn_away(&acceptor.socket) {}
        assert!(acceptor.reserve.0.is_some());
        // Closed, and not left open: there is an end to read, not a wait.
        let mut answer = String::new();
        io::Read::read_to_string(&mut client, &mut answer).unwrap();
        assert!(answer.starts_with("HTTP/1.1 503 "), "{answer:?}");
    }

    #[tokio::test]
    async fn every_connection_is_dispatched_with_its_address_and_the_options() {
        let (acceptor, address) = acceptor();
        let (sender, mut accepted) = mpsc::channel(8);
        let dispatch: Dispatch = Arc::new(move |connection| sender.try_send(connection).unwrap());
        let clients = async {
            for _ in 0..3 {
                let client = TcpStream::connect(address).await.unwrap();
                let Some(Accepted::Tcp(stream, from)) = accepted.recv().await else {
                    panic!("a TCP listener accepts TCP");
                };
                assert_eq!(from, client.local_addr().unwrap());
                assert!(stream.nodelay().unwrap());
                assert!(SockRef::from(&stream).keepalive().unwrap());
            }
        };
        tokio::select! {
            () = acceptor.run(dispatch) => panic!("the loop never ends"),
            () = clients => {}
        }
    }
}
