//! Listening sockets from one process to the next, where no service manager holds them.
//!
//! ```text
//! next process                              process that serves
//!   connect ──────────────────────────────►   sends its listening sockets
//!   serves them, beside the other
//!   confirms that ─────────────────────────►  accepts no more, and drains its sessions
//! ```
//!
//! Both have the same path. A next process that fails before it serves changes nothing.

mod rights;

use std::fs;
use std::io::{self, Write};
use std::os::fd::OwnedFd;
use std::os::unix::fs::{FileTypeExt, PermissionsExt};
use std::os::unix::net::{UnixListener as BlockingListener, UnixStream as BlockingStream};
use std::path::{Path, PathBuf};
use std::time::Duration;

use rustix::net::sockopt::socket_peercred;
use rustix::process::geteuid;
use tokio::io::AsyncReadExt;
use tokio::net::{UnixListener, UnixStream};

use crate::server::listener::bind::SocketFile;
use crate::server::listener::open::Listeners;
use crate::server::listener::passed::{PassedError, PassedSockets};
use crate::tls::Tickets;

/// Why a process cannot take over from another.
#[derive(Debug, thiserror::Error)]
#[error("cannot take over at {}", path.display())]
pub struct HandoverError {
    path: PathBuf,
    #[source]
    cause: HandoverCause,
}

#[derive(Debug, thiserror::Error)]
enum HandoverCause {
    #[error("the process was started with its sockets (LISTEN_FDS)")]
    Passed,
    #[error("the path is a file that is not a socket")]
    NotASocket,
    #[error("the process there does not hand over its sockets")]
    NoSockets(#[source] io::Error),
    #[error("the process there does not answer")]
    Silent,
    #[error("another process is taking over there")]
    Busy,
    #[error("a process of another user (number {0}) listens there")]
    OtherUser(u32),
    #[error(transparent)]
    Unfit(#[from] PassedError),
    #[error(transparent)]
    Io(#[from] io::Error),
}

/// A takeover that has begun: this process does not serve yet.
pub(crate) struct Takeover {
    path: PathBuf,
    /// Bound beside the path, so that the process that serves there is undisturbed.
    listener: BlockingListener,
    file: SocketFile,
    predecessor: Option<BlockingStream>,
}

/// Where a process that serves waits for the next one.
#[derive(Default)]
pub(crate) struct Handover {
    listener: Option<(UnixListener, SocketFile)>,
    /// It has the sockets and has not confirmed yet that it serves them.
    successor: Option<UnixStream>,
}

/// A request of the next process.
pub(crate) enum SuccessorRequest {
    /// The listening sockets.
    Sockets(UnixStream),
    /// To accept no more.
    TakeOver,
}

/// How long a process that serves may take to send its sockets.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(10);

/// The confirmation of the next process that it serves.
const SERVING: u8 = b'!';

impl Takeover {
    /// Takes the sockets of the process that serves at the path, if there is one, and its keys of session tickets.
    pub(crate) fn begin(
        path: &Path,
        passed: &PassedSockets,
    ) -> Result<(Self, PassedSockets, Option<Tickets>), HandoverError> {
        let begin = || {
            if passed.live_on() {
                return Err(HandoverCause::Passed);
            }
            let predecessor = connect(path)?;
            let (sockets, key) = match &predecessor {
                Some(predecessor) => {
                    check_predecessor(predecessor)?;
                    predecessor.set_read_timeout(Some(ANSWER_TIMEOUT))?;
                    rights::receive(predecessor).map_err(HandoverCause::of)?
                }
                None => (Vec::new(), None),
            };
            let tickets = key.map(|key| Tickets::taken_over(&key)).transpose()?;
            let sockets = PassedSockets::handed_over(sockets)?;
            let (listener, file) = bind_beside(path)?;
            let path = path.to_owned();
            let takeover = Self {
                path,
                listener,
                file,
                predecessor,
            };
            Ok((takeover, sockets, tickets))
        };
        begin().map_err(|cause| HandoverError {
            path: path.to_owned(),
            cause,
        })
    }

    /// Confirms to the other process that this one listens, and waits at the path for the next one.
    pub(crate) fn finish(self, listeners: &Listeners) -> Result<Handover, HandoverError> {
        let finish = || {
            fs::rename(self.file.path(), &self.path)?;
            let file = SocketFile::of(&self.path)?;
            self.listener.set_nonblocking(true)?;
            let listener = UnixListener::from_std(self.listener)?;
            listeners.own_files();
            let confirmed = (self.predecessor).map(|mut process| process.write_all(&[SERVING]));
            if let Some(Err(error)) = confirmed {
                // Then no other process serves.
                tracing::warn!(%error, "the previous process ended before it handed over");
            }
            let path = self.path.display();
            tracing::info!(%path, "the next process can take over");
            Ok(Handover {
                listener: Some((listener, file)),
                successor: None,
            })
        };
        finish().map_err(|cause: io::Error| HandoverError {
            path: self.path.clone(),
            cause: cause.into(),
        })
    }
}

impl Handover {
    /// Waits for a request of the next process. Cancel safe.
    pub(crate) async fn next(&mut self) -> SuccessorRequest {
        let Some((listener, _)) = &self.listener else {
            return std::future::pending().await;
        };
        loop {
            let accepted = match &mut self.successor {
                None => listener.accept().await,
                Some(successor) => tokio::select! {
                    biased;
                    said = successor.read_u8() => {
                        self.successor = None;
                        if matches!(said, Ok(SERVING)) {
                            return SuccessorRequest::TakeOver;
                        }
                        tracing::warn!("the next process ended before it served");
                        continue;
                    }
                    accepted = listener.accept() => accepted,
                },
            };
            match accepted {
                Ok((stream, _)) if !is_trusted_successor(&stream) => {
                    tracing::warn!("a process of another user requested the listening sockets");
                }
                Ok((stream, _)) => match &self.successor {
                    None => return SuccessorRequest::Sockets(stream),
                    Some(successor) => {
                        let process = successor.peer_cred().ok().and_then(|peer| peer.pid());
                        tracing::warn!(
                            process,
                            "another process is taking over: a further request was refused"
                        );
                        let _gone = rights::refuse(&stream);
                    }
                },
                Err(error) => {
                    tracing::error!(%error, "the handover socket cannot accept a connection");
                    tokio::time::sleep(BACK_OFF).await;
                }
            }
        }
    }

    /// Whether the next process has the sockets and has not confirmed that it serves them.
    pub(crate) fn is_under_way(&self) -> bool {
        self.successor.is_some()
    }

    /// Sends the sockets, and waits for the next process to serve them.
    pub(crate) fn send_sockets(
        &mut self,
        sockets: io::Result<Vec<OwnedFd>>,
        tickets: &Tickets,
        successor: UnixStream,
    ) {
        let key = tickets.current();
        match sockets.and_then(|sockets| rights::send(&successor, &sockets, &key)) {
            Ok(()) => {
                tracing::info!("the next process has the listening sockets");
                self.successor = Some(successor);
            }
            Err(error) => tracing::error!(%error, "the listening sockets were not handed over"),
        }
    }
}

impl HandoverError {
    /// What a person can do about it.
    pub fn help(&self) -> Option<&'static str> {
        match &self.cause {
            HandoverCause::Passed => Some("leave `--handover` out"),
            HandoverCause::NotASocket => Some("choose another path, or move that file away"),
            HandoverCause::NoSockets(_) => {
                Some("it is not a wsgate, it belongs to another user, or it has just ended")
            }
            HandoverCause::Silent => Some("it is stuck: stop it, and start this one again"),
            HandoverCause::Busy => {
                Some("wait for it, or stop it: the log of the serving process has its number")
            }
            HandoverCause::OtherUser(_) => {
                Some("start both as the same user, with a path in a folder of that user")
            }
            HandoverCause::Unfit(error) => error.help(),
            HandoverCause::Io(error) => match error.kind() {
                io::ErrorKind::NotFound => Some("create the folder first"),
                _ => None,
            },
        }
    }
}

/// How long to wait when the system has no resources left.
const BACK_OFF: Duration = Duration::from_millis(50);

impl HandoverCause {
    fn of(error: io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::ResourceBusy => Self::Busy,
            io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut => Self::Silent,
            _ => Self::NoSockets(error),
        }
    }
}

/// A process with a socket can accept its clients: only a user who could have opened it gets it.
fn is_trusted_successor(successor: &UnixStream) -> bool {
    let user = successor.peer_cred().map(|peer| peer.uid());
    user.is_ok_and(|user| is_trusted(user, geteuid().as_raw()))
}

/// The same the other way round: a process that gave a socket may have kept it, and accept its clients.
fn check_predecessor(predecessor: &BlockingStream) -> Result<(), HandoverCause> {
    let user = socket_peercred(predecessor)
        .map_err(io::Error::from)?
        .uid
        .as_raw();
    match is_trusted(user, geteuid().as_raw()) {
        true => Ok(()),
        false => Err(HandoverCause::OtherUser(user)),
    }
}

fn is_trusted(user: u32, own: u32) -> bool {
    user == own || user == 0
}

/// `None` if no process serves there.
fn connect(path: &Path) -> Result<Option<BlockingStream>, HandoverCause> {
    match fs::symlink_metadata(path) {
        Ok(metadata) if !metadata.file_type().is_socket() => return Err(HandoverCause::NotASocket),
        Ok(_) => {}
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error.into()),
    }
    match BlockingStream::connect(path) {
        Ok(stream) => Ok(Some(stream)),
        Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => Ok(None),
        Err(error) => Err(error.into()),
    }
}

/// A socket at a path that no other process knows, with access for its owner only.
fn bind_beside(path: &Path) -> io::Result<(BlockingListener, SocketFile)> {
    let mut beside = path.as_os_str().to_owned();
    beside.push(format!(".{}", std::process::id()));
    let beside = PathBuf::from(beside);
    match fs::remove_file(&beside) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        // Left behind by a process that had this number before.
        Ok(()) | Err(_) => {}
    }
    let listener = BlockingListener::bind(&beside)?;
    let file = SocketFile::of(&beside)?;
    fs::set_permissions(&beside, fs::Permissions::from_mode(0o600))?;
    Ok((listener, file))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_same_user_and_root_are_trusted_in_either_direction() {
        for (user, own, expected) in [
            (1000, 1000, true),
            (0, 1000, true),
            (0, 0, true),
            (1001, 1000, false),
            (1000, 0, false),
        ] {
            assert_eq!(is_trusted(user, own), expected, "{user} and {own}");
        }
    }
}
