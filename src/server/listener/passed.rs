//! Listening sockets that the process was started with: sd_listen_fds(3).
//!
//! A socket that the service manager holds open loses no connection while the process restarts: the
//! system keeps its queue. A socket serves the setting of its address.

use std::env;
use std::fmt;
use std::fs;
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::fs::FileTypeExt;
use std::path::Path;

use listenfd::ListenFd;
use rustix::net::sockopt::socket_acceptconn;
use socket2::{SockAddr, Socket};

use super::address::BoundAddress;
use crate::config::{Config, ListenAddress};

/// The sockets of the process's start, for as long as the process accepts.
///
/// A listener has a copy of its own, so that one that a reload removes can come back with the next
/// reload: its address cannot be bound while the original is open.
#[derive(Debug, Default)]
pub struct PassedSockets {
    sockets: Vec<PassedSocket>,
    /// They come from a process that served them, and leaves their files to this one.
    handed_over: bool,
}

/// A copy of one of them, for a listener.
pub(crate) struct Passed {
    pub(crate) address: BoundAddress,
    pub(crate) socket: Socket,
    /// The file of a unix socket is this process's to remove once it serves.
    pub(crate) will_own_file: bool,
}

/// One of them.
#[derive(Debug)]
struct PassedSocket {
    socket: Socket,
    address: BoundAddress,
    descriptor: Descriptor,
}

/// Which of the descriptors it was, and its name if it has one.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Descriptor {
    number: usize,
    name: Option<String>,
}

/// A socket that the process was started with, and cannot serve.
#[derive(Debug, thiserror::Error)]
#[error("the {descriptor} that the process was started with cannot be served")]
pub struct PassedError {
    descriptor: Descriptor,
    #[source]
    cause: PassedCause,
}

#[derive(Debug, thiserror::Error)]
enum PassedCause {
    #[error("it is no stream socket, neither TCP nor unix")]
    OtherKind(#[source] io::Error),
    #[error("it is a connection, not a listening socket")]
    NotListening,
    #[error("it is a unix socket without a file")]
    NoFile,
    #[error("no setting has its address, {0}: no process would accept its clients")]
    Unnamed(BoundAddress),
    #[error(transparent)]
    Io(#[from] io::Error),
}

/// SD_LISTEN_FDS_START.
const FIRST: usize = 3;

impl PassedSockets {
    /// Takes the sockets of `LISTEN_FDS`, unless `LISTEN_PID` names another process. Both are unset, so
    /// that a second call finds nothing.
    ///
    /// To be called before the process starts threads or opens files: what it opens could have the
    /// number of a descriptor that was announced and is not there.
    ///
    /// # Errors
    /// [`PassedError`] if one of the descriptors is no listening socket.
    pub fn from_environment() -> Result<Self, PassedError> {
        let names = env::var("LISTEN_FDNAMES").unwrap_or_default();
        let mut names = names.split(':');
        let mut passed = ListenFd::from_env();
        let indices = 0..passed.len();
        let take = |index| {
            let name = names.next().filter(|name| !name.is_empty());
            let descriptor = Descriptor {
                number: FIRST + index,
                name: name.map(str::to_owned),
            };
            let failed = |cause| PassedError {
                descriptor: descriptor.clone(),
                cause,
            };
            let socket = take(&mut passed, index).map_err(failed)?;
            Ok(PassedSocket {
                address: address(&socket).map_err(failed)?,
                socket,
                descriptor,
            })
        };
        let sockets = indices.map(take).collect::<Result<_, _>>()?;
        Ok(Self {
            sockets,
            handed_over: false,
        })
    }

    /// Takes the sockets that another process has served until now.
    pub(crate) fn handed_over(sockets: Vec<OwnedFd>) -> Result<Self, PassedError> {
        let sockets = sockets.into_iter().enumerate().map(|(index, socket)| {
            let socket = Socket::from(socket);
            let descriptor = Descriptor {
                number: index,
                name: None,
            };
            match address(&socket) {
                Ok(address) => Ok(PassedSocket {
                    socket,
                    address,
                    descriptor,
                }),
                Err(cause) => Err(PassedError { descriptor, cause }),
            }
        });
        Ok(Self {
            sockets: sockets.collect::<Result<_, _>>()?,
            handed_over: true,
        })
    }

    /// Drops sockets that were handed over: their listeners have copies.
    pub(crate) fn started(&mut self) {
        if self.handed_over {
            self.sockets.clear();
        }
    }

    /// Checks that the settings name all of them. A socket that they do not name would queue connections
    /// that are never accepted, for as long as the service manager holds it open. Sockets that were
    /// handed over are held open by no other process.
    pub(crate) fn check(&self, config: &Config) -> Result<(), PassedError> {
        if self.handed_over {
            return Ok(());
        }
        let listen = config.listen.iter().map(|listen| &listen.address);
        let admin = config.admin.iter().map(|admin| &admin.address);
        let publish = config.publish.iter().map(|publish| &publish.address);
        let named: Vec<_> = listen.chain(admin).chain(publish).collect();
        let is_named = |socket: &PassedSocket| named.iter().any(|setting| socket.is_for(setting));
        match self.sockets.iter().find(|socket| !is_named(socket)) {
            None => Ok(()),
            Some(socket) => Err(PassedError {
                descriptor: socket.descriptor.clone(),
                cause: PassedCause::Unnamed(socket.address.clone()),
            }),
        }
    }

    /// A copy of the one for this setting.
    pub(crate) fn find(&self, setting: &ListenAddress) -> Option<io::Result<Passed>> {
        let mut sockets = self.sockets.iter();
        let passed = sockets.find(|socket| socket.is_for(setting))?;
        if self.handed_over && passed.has_lost_file() {
            // No client can connect to it any more.
            return None;
        }
        let copy = passed.socket.try_clone();
        Some(copy.map(|socket| Passed {
            address: passed.address.clone(),
            socket,
            will_own_file: self.handed_over,
        }))
    }

    /// Whether other processes accept on these sockets when this one no longer does.
    pub(crate) fn live_on(&self) -> bool {
        !self.sockets.is_empty()
    }

    /// Whether there is one for this setting.
    pub(crate) fn has(&self, setting: &ListenAddress) -> bool {
        self.sockets.iter().any(|socket| socket.is_for(setting))
    }
}

impl PassedSocket {
    fn has_lost_file(&self) -> bool {
        match &self.address {
            BoundAddress::Unix(path) => {
                let found = fs::symlink_metadata(path);
                !found.is_ok_and(|found| found.file_type().is_socket())
            }
            BoundAddress::Tcp(_) => false,
        }
    }

    fn is_for(&self, setting: &ListenAddress) -> bool {
        match (&self.address, setting) {
            (BoundAddress::Tcp(bound), ListenAddress::Tcp(wanted)) => bound == wanted,
            (BoundAddress::Unix(bound), ListenAddress::Unix(wanted)) => is_same(bound, wanted),
            (BoundAddress::Tcp(_), ListenAddress::Unix(_))
            | (BoundAddress::Unix(_), ListenAddress::Tcp(_)) => false,
        }
    }
}

impl PassedError {
    /// What a person can do about it.
    pub fn help(&self) -> Option<&'static str> {
        match &self.cause {
            PassedCause::OtherKind(_) => Some("a socket unit needs `ListenStream=`"),
            PassedCause::NotListening => Some("a socket unit needs `Accept=no`"),
            PassedCause::NoFile => Some("give the socket a path"),
            PassedCause::Unnamed(_) => Some(
                "write this address into a `[[listen]]` of the settings, or remove it from the socket \
                 unit; `ListenStream=8080` is `[::]:8080`",
            ),
            PassedCause::Io(_) => None,
        }
    }
}

impl fmt::Display for Descriptor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "descriptor {}", self.number)?;
        match &self.name {
            Some(name) => write!(f, " ({name:?})"),
            None => Ok(()),
        }
    }
}

fn take(passed: &mut ListenFd, index: usize) -> Result<Socket, PassedCause> {
    let tcp = passed.take_tcp_listener(index);
    let socket = match tcp.map_err(PassedCause::OtherKind) {
        Ok(taken) => taken.map(Socket::from),
        Err(other) => match passed.take_unix_listener(index) {
            Ok(taken) => taken.map(Socket::from),
            Err(_) => return Err(other),
        },
    };
    // The index is one of those that are there, and is taken once.
    let socket = socket.ok_or(PassedCause::NotListening)?;
    match socket_acceptconn(&socket).map_err(io::Error::from)? {
        true => Ok(socket),
        false => Err(PassedCause::NotListening),
    }
}

fn address(socket: &Socket) -> Result<BoundAddress, PassedCause> {
    let address: SockAddr = socket.local_addr()?;
    let tcp = address.as_socket().map(BoundAddress::Tcp);
    let unix = || Some(BoundAddress::Unix(address.as_pathname()?.to_owned()));
    tcp.or_else(unix).ok_or(PassedCause::NoFile)
}

/// Whether both lead to the same file: /var/run is often another name of /run.
fn is_same(one: &Path, other: &Path) -> bool {
    let real = |path| fs::canonicalize(path).ok();
    one == other || real(one).is_some_and(|path| real(other) == Some(path))
}
