//! Binding of listening sockets.

use std::fs;
use std::io;
use std::net::{IpAddr, Ipv6Addr, SocketAddr, TcpListener};
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use socket2::{Domain, Protocol, SockAddr, SockRef, Socket as RawSocket, TcpKeepalive, Type};

use super::address::BoundAddress;
use super::passed::{Passed, PassedSockets};
use crate::config::{Listen, ListenAddress};

/// A socket that clients can connect to. Nothing is accepted on it yet.
#[derive(Debug)]
pub(crate) struct Listener {
    /// Its address in the settings.
    pub(crate) setting: ListenAddress,
    pub(crate) address: BoundAddress,
    /// Whether it leaves IPv4 to another.
    pub(crate) only_v6: bool,
    pub(crate) socket: ListeningSocket,
}

/// The socket itself; non-blocking.
#[derive(Debug)]
pub(crate) enum ListeningSocket {
    Tcp(TcpListener),
    /// The file is ours to remove, unless the process that passed the socket made it.
    Unix(UnixListener, Option<SocketFile>),
}

/// A listener that could not be bound.
#[derive(Debug, thiserror::Error)]
#[error("cannot listen on {address}")]
pub struct BindError {
    address: BoundAddress,
    #[source]
    cause: BindCause,
}

#[derive(Debug, thiserror::Error)]
enum BindCause {
    #[error("the path is a file that is not a socket")]
    NotASocket,
    #[error("another process accepts connections there")]
    InUse,
    #[error("another listener of this process has the address until the reload is done")]
    Own,
    #[error(transparent)]
    Io(#[from] io::Error),
}

/// Connections that the kernel completes and holds for us while we are busy: as many as it lets
/// us have (it clamps this to `net.core.somaxconn`).
const BACKLOG: i32 = 4096;

/// The system notices a client that has vanished after this time.
const TCP_KEEPALIVE: Duration = Duration::from_secs(60);

/// Binds those of these listeners that are wanted, or none. Passed sockets are bound already.
pub(crate) fn bind(
    listen: &[Listen],
    passed: &PassedSockets,
    is_wanted: impl Fn(&ListenAddress) -> bool,
) -> Result<Vec<Listener>, BindError> {
    let addresses = listen.iter().map(|listen| &listen.address);
    addresses
        .filter(|address| is_wanted(address))
        .map(|address| Listener::bind(address, passed, only_v6(address, listen)))
        .collect()
}

/// `[::]` serves IPv4 too, unless another listener of these does.
pub(crate) fn only_v6(address: &ListenAddress, listen: &[Listen]) -> bool {
    let ListenAddress::Tcp(address) = address else {
        return false;
    };
    let mut others = listen.iter();
    address.ip() == IpAddr::V6(Ipv6Addr::UNSPECIFIED)
        && others.any(|other| serves_v4_port(&other.address, address.port()))
}

fn serves_v4_port(address: &ListenAddress, port: u16) -> bool {
    matches!(address, ListenAddress::Tcp(SocketAddr::V4(v4)) if v4.port() == port && port != 0)
}

impl Listener {
    /// The passed socket of this address, or else a new one. With `only_v6` a new IPv6 listener leaves
    /// IPv4 to another.
    pub(crate) fn bind(
        setting: &ListenAddress,
        passed: &PassedSockets,
        only_v6: bool,
    ) -> Result<Self, BindError> {
        let (address, socket) = match (passed.find(setting), setting) {
            (Some(passed), _) => Self::passed(setting, passed)?,
            (None, ListenAddress::Tcp(address)) => Self::tcp(*address, only_v6)?,
            (None, ListenAddress::Unix(path)) => Self::unix(path)?,
        };
        Ok(Self {
            setting: setting.clone(),
            address,
            only_v6,
            socket,
        })
    }

    fn passed(
        setting: &ListenAddress,
        passed: io::Result<Passed>,
    ) -> Result<(BoundAddress, ListeningSocket), BindError> {
        let ready = || {
            let Passed {
                address,
                socket,
                will_own_file,
            } = passed?;
            socket.set_nonblocking(true)?;
            let socket = match setting {
                ListenAddress::Tcp(_) => {
                    set_inherited(&socket)?;
                    ListeningSocket::Tcp(socket.into())
                }
                ListenAddress::Unix(path) => {
                    let file = will_own_file.then(|| SocketFile::of(path)).transpose()?;
                    if let Some(file) = &file {
                        // Until this process serves, the file is the other's.
                        file.set_ours(false);
                    }
                    ListeningSocket::Unix(socket.into(), file)
                }
            };
            Ok((address, socket))
        };
        ready().map_err(|error: io::Error| BindError {
            address: BoundAddress::of(setting),
            cause: error.into(),
        })
    }

    fn tcp(
        address: SocketAddr,
        only_v6: bool,
    ) -> Result<(BoundAddress, ListeningSocket), BindError> {
        let failed = |error: io::Error| BindError {
            address: BoundAddress::Tcp(address),
            cause: error.into(),
        };
        let socket = listen_tcp(address, only_v6).map_err(failed)?;
        let bound = socket.local_addr().map_err(failed)?;
        Ok((BoundAddress::Tcp(bound), ListeningSocket::Tcp(socket)))
    }

    fn unix(path: &Path) -> Result<(BoundAddress, ListeningSocket), BindError> {
        let bound = BoundAddress::Unix(path.to_owned());
        let failed = |cause| BindError {
            address: bound.clone(),
            cause,
        };
        remove_stale(path).map_err(failed)?;
        let bind = || {
            let listener = UnixListener::bind(path)?;
            let file = SocketFile::of(path)?;
            // The backlog of std is 128: listening again raises it.
            SockRef::from(&listener).listen(BACKLOG)?;
            listener.set_nonblocking(true)?;
            Ok((listener, file))
        };
        let (listener, file) = bind().map_err(|error: io::Error| failed(error.into()))?;
        Ok((bound, ListeningSocket::Unix(listener, Some(file))))
    }
}

impl BindError {
    /// A system call that prepares the socket failed.
    pub(crate) fn system(address: &BoundAddress, error: io::Error) -> Self {
        Self {
            address: address.clone(),
            cause: error.into(),
        }
    }

    /// Says so if the address is taken by one of these, the process's own listeners.
    pub(crate) fn beside<'a>(mut self, mut own: impl Iterator<Item = &'a BoundAddress>) -> Self {
        let is_taken = match &self.cause {
            BindCause::InUse => true,
            BindCause::Io(error) => error.kind() == io::ErrorKind::AddrInUse,
            BindCause::NotASocket | BindCause::Own => false,
        };
        if is_taken && own.any(|own| own.overlaps(&self.address)) {
            self.cause = BindCause::Own;
        }
        self
    }

    /// What a person can do about it.
    pub fn help(&self) -> Option<&'static str> {
        match &self.cause {
            BindCause::NotASocket => Some("choose another path, or move that file away"),
            BindCause::InUse => Some("stop that process, or choose another path"),
            BindCause::Own => Some("move one of them first, in a reload of its own"),
            BindCause::Io(error) => match error.kind() {
                io::ErrorKind::AddrInUse => {
                    Some("stop what listens there (`ss -ltnp` shows it), or choose another address")
                }
                io::ErrorKind::AddrNotAvailable => {
                    Some("no interface of this machine has this address; 0.0.0.0 and [::] are all")
                }
                io::ErrorKind::PermissionDenied => match &self.address {
                    BoundAddress::Tcp(_) => Some(
                        "ports below 1024 need a privilege: choose a higher one, \
                         or grant CAP_NET_BIND_SERVICE",
                    ),
                    BoundAddress::Unix(_) => Some("the folder must be writable for this user"),
                },
                io::ErrorKind::NotFound => Some("make the folder first"),
                _ => None,
            },
        }
    }
}

/// The file of a unix socket, removed with the listener.
#[derive(Debug)]
pub(crate) struct SocketFile {
    path: PathBuf,
    device: u64,
    inode: u64,
    is_ours: AtomicBool,
}

impl SocketFile {
    pub(crate) fn of(path: &Path) -> io::Result<Self> {
        let metadata = fs::symlink_metadata(path)?;
        Ok(Self {
            path: path.to_owned(),
            device: metadata.dev(),
            inode: metadata.ino(),
            is_ours: AtomicBool::new(true),
        })
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Sets whether the file is this process's to remove, or that of another process with the same socket.
    pub(crate) fn set_ours(&self, is_ours: bool) {
        self.is_ours.store(is_ours, Ordering::Relaxed);
    }
}

impl Drop for SocketFile {
    fn drop(&mut self) {
        // Another process may have put its own file there meanwhile.
        let stands = fs::symlink_metadata(&self.path)
            .is_ok_and(|now| now.dev() == self.device && now.ino() == self.inode);
        let ours = stands && self.is_ours.load(Ordering::Relaxed);
        if ours && let Err(error) = fs::remove_file(&self.path) {
            let path = self.path.display();
            tracing::warn!(%path, %error, "the socket's file could not be removed");
        }
    }
}

fn listen_tcp(address: SocketAddr, only_v6: bool) -> io::Result<TcpListener> {
    let socket = RawSocket::new(
        Domain::for_address(address),
        Type::STREAM,
        Some(Protocol::TCP),
    )?;
    // A restart must not wait for the old process's connections to be forgotten.
    socket.set_reuse_address(true)?;
    if address.ip() == IpAddr::V6(Ipv6Addr::UNSPECIFIED) {
        // Set explicitly: the default differs from machine to machine.
        socket.set_only_v6(only_v6)?;
    }
    set_inherited(&socket)?;
    socket.set_nonblocking(true)?;
    socket.bind(&address.into())?;
    socket.listen(BACKLOG)?;
    Ok(socket.into())
}

/// Every accepted socket inherits these two.
fn set_inherited(socket: &RawSocket) -> io::Result<()> {
    socket.set_tcp_nodelay(true)?;
    socket.set_tcp_keepalive(&TcpKeepalive::new().with_time(TCP_KEEPALIVE))
}

/// Removes a socket's file that no process accepts on any more.
fn remove_stale(path: &Path) -> Result<(), BindCause> {
    match fs::symlink_metadata(path) {
        Ok(metadata) if !metadata.file_type().is_socket() => return Err(BindCause::NotASocket),
        Ok(_) => {}
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(error.into()),
    }
    let probe = RawSocket::new(Domain::UNIX, Type::STREAM, None)?;
    // A listener whose backlog is full would hold a blocking socket up.
    probe.set_nonblocking(true)?;
    match probe.connect(&SockAddr::unix(path)?) {
        Ok(()) => Err(BindCause::InUse),
        Err(error) if error.kind() == io::ErrorKind::WouldBlock => Err(BindCause::InUse),
        Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => {
            Ok(fs::remove_file(path)?)
        }
        Err(error) => Err(error.into()),
    }
}

#[cfg(test)]
mod tests;
