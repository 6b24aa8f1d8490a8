//! Notifications to the service manager: sd_notify(3).
//!
//! ```text
//! READY=1 ─► (RELOADING=1 ─► READY=1)… ─► STOPPING=1        STATUS= and WATCHDOG=1 all along
//! ```

use std::convert::Infallible;
use std::env;
use std::ffi::{OsStr, OsString};
use std::io;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::Path;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use rustix::time::{ClockId, clock_gettime};
use socket2::{Domain, SockAddr, Socket, Type};
use tokio::time::{MissedTickBehavior, interval, timeout};

use super::workers::Worker;

/// The service manager that started the process, if it takes notifications.
#[derive(Debug, Default)]
pub(crate) struct ServiceManager {
    socket: Option<Socket>,
    /// The longest time between two watchdog messages.
    watchdog: Option<Duration>,
    reported: Mutex<Reported>,
}

/// What was last sent.
#[derive(Debug, Default)]
struct Reported {
    phase: Phase,
    /// The last reload was rejected: the settings are not those of the file.
    reload_rejected: bool,
    status: String,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Phase {
    #[default]
    Serving,
    Stopping,
}

/// How often the status is sent if it has changed.
const INTERVAL: Duration = Duration::from_secs(5);

/// The shortest interval, whatever the watchdog is set to.
const SHORTEST: Duration = Duration::from_millis(10);

/// A message that the service manager does not take within this time is lost.
const SEND_TIMEOUT: Duration = Duration::from_secs(1);

/// What the end takes beyond the drain's deadline: cut sessions, threads, files.
const AFTER_DRAIN: Duration = Duration::from_secs(10);

impl ServiceManager {
    /// The one of `NOTIFY_SOCKET`. Without that variable nothing is sent; a socket that cannot be reached
    /// is logged.
    pub(crate) fn from_environment() -> Self {
        let Some(path) = env::var_os("NOTIFY_SOCKET").filter(|path| !path.is_empty()) else {
            return Self::default();
        };
        let variable = |name: &str| env::var(name).ok();
        let watchdog = watchdog(variable("WATCHDOG_USEC"), variable("WATCHDOG_PID"));
        match connect(path) {
            Ok(socket) => Self {
                socket: Some(socket),
                watchdog,
                ..Self::default()
            },
            Err(error) => {
                tracing::warn!(%error, "the service manager cannot be reached (NOTIFY_SOCKET)");
                Self::default()
            }
        }
    }

    /// Every listener is bound.
    pub(crate) fn ready(&self, sessions: usize) {
        self.notify(Phase::Serving, "READY=1", sessions);
    }

    /// The settings are being read again. [`Self::reloaded`] is to follow.
    pub(crate) fn reloading(&self) {
        let now = clock_gettime(ClockId::Monotonic);
        let micros = i128::from(now.tv_sec) * 1_000_000 + i128::from(now.tv_nsec) / 1_000;
        self.send(&format!("RELOADING=1\nMONOTONIC_USEC={micros}"));
    }

    /// The reload is over, well or not.
    pub(crate) fn reloaded(&self, is_rejected: bool, sessions: usize) {
        self.reported().reload_rejected = is_rejected;
        self.notify(Phase::Serving, "READY=1", sessions);
    }

    /// The process drains its sessions until the deadline at most, and asks the manager for that time.
    pub(crate) fn stopping(&self, drain_deadline: Duration, sessions: usize) {
        let longest = drain_deadline.saturating_add(AFTER_DRAIN).as_micros();
        let longest = u64::try_from(longest).unwrap_or(u64::MAX);
        let message = format!("STOPPING=1\nEXTEND_TIMEOUT_USEC={longest}");
        self.notify(Phase::Stopping, &message, sessions);
    }

    /// Sends how many sessions there are, and feeds the watchdog as long as each worker responds.
    pub(crate) async fn keep_informed(
        &self,
        workers: &[Worker],
        sessions: impl Fn() -> usize,
    ) -> Infallible {
        if self.socket.is_none() {
            return std::future::pending().await;
        }
        let half = self.watchdog.map(|watchdog| watchdog / 2);
        let mut looks = interval(half.map_or(INTERVAL, |half| half.clamp(SHORTEST, INTERVAL)));
        looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            looks.tick().await;
            self.notify_status(sessions());
            let Some(half) = half else {
                continue;
            };
            match timeout(half, all_respond(workers)).await {
                Ok(()) => self.send("WATCHDOG=1"),
                Err(_) => tracing::error!("a worker is stuck: the watchdog is not notified"),
            }
        }
    }

    fn notify(&self, phase: Phase, message: &str, sessions: usize) {
        let status = {
            let mut reported = self.reported();
            reported.phase = phase;
            reported.status = reported.sentence(sessions);
            reported.status.clone()
        };
        self.send(&format!("{message}\nSTATUS={status}"));
    }

    fn notify_status(&self, sessions: usize) {
        let news = {
            let mut reported = self.reported();
            let sentence = reported.sentence(sessions);
            (sentence != reported.status).then(|| {
                reported.status.clone_from(&sentence);
                sentence
            })
        };
        if let Some(status) = news {
            self.send(&format!("STATUS={status}"));
        }
    }

    fn send(&self, message: &str) {
        let sent = (self.socket.as_ref()).map(|socket| socket.send(message.as_bytes()));
        if let Some(Err(error)) = sent {
            tracing::warn!(%error, "the service manager was not notified");
        }
    }

    fn reported(&self) -> MutexGuard<'_, Reported> {
        self.reported.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Reported {
    fn sentence(&self, sessions: usize) -> String {
        let sessions = match sessions {
            0 => "no session".to_owned(),
            1 => "1 session".to_owned(),
            count => format!("{count} sessions"),
        };
        match (self.phase, self.reload_rejected) {
            (Phase::Stopping, _) => format!("Stopping, {sessions} left"),
            (Phase::Serving, false) => format!("Serving, {sessions} open"),
            (Phase::Serving, true) => {
                format!("Serving, {sessions} open; the last reload was rejected, see the log")
            }
        }
    }
}

/// Connects to the socket of this name; a leading `@` stands for an abstract socket, without a file.
fn connect(name: OsString) -> io::Result<Socket> {
    let mut name = name.into_vec();
    match name.first_mut() {
        Some(first) if *first == b'@' => *first = 0,
        Some(b'/') => {}
        _ => return Err(io::ErrorKind::Unsupported.into()),
    }
    let socket = Socket::new(Domain::UNIX, Type::DGRAM, None)?;
    socket.connect(&SockAddr::unix(Path::new(OsStr::from_bytes(&name)))?)?;
    socket.set_write_timeout(Some(SEND_TIMEOUT))?;
    Ok(socket)
}

/// `WATCHDOG_USEC`, unless `WATCHDOG_PID` names another process.
fn watchdog(micros: Option<String>, process: Option<String>) -> Option<Duration> {
    let ours = std::process::id().to_string();
    if process.is_some_and(|process| process != ours) {
        return None;
    }
    let micros = micros?.parse().ok().filter(|micros| *micros > 0)?;
    Some(Duration::from_micros(micros))
}

/// Resolves when each worker has responded.
async fn all_respond(workers: &[Worker]) {
    for worker in workers {
        worker.responds().await;
    }
}

#[cfg(test)]
mod tests {
    use tokio_util::task::TaskTracker;

    use super::super::workers::Workers;
    use super::*;

    #[test]
    fn the_watchdog_is_for_the_process_that_it_names() {
        let ours = std::process::id().to_string();
        for (micros, process, expected) in [
            (None, None, None),
            (Some("30000000"), None, Some(30)),
            (Some("30000000"), Some(&*ours), Some(30)),
            (Some("30000000"), Some("1"), None),
            (Some("0"), None, None),
            (Some("soon"), None, None),
        ] {
            let found = watchdog(micros.map(str::to_owned), process.map(str::to_owned));
            assert_eq!(found, expected.map(Duration::from_secs), "{micros:?}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn the_watchdog_hears_nothing_of_a_worker_that_is_stuck() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("notify");
        let heard = std::os::unix::net::UnixDatagram::bind(&path).unwrap();
        heard.set_nonblocking(true).unwrap();
        let manager = ServiceManager {
            socket: Some(connect(path.into()).unwrap()),
            watchdog: Some(Duration::from_secs(4)),
            ..ServiceManager::default()
        };
        let workers = Workers::start(2).unwrap();
        let all: Vec<_> = workers.iter().cloned().collect();
        let mut attended = Box::pin(manager.keep_informed(&all, || 0));
        let messages = || {
            let mut buffer = [0; 512];
            let next =
                std::iter::from_fn(|| heard.recv(&mut buffer).ok().map(|n| buffer[..n].to_vec()));
            next.map(|bytes| String::from_utf8(bytes).unwrap())
                .collect::<Vec<_>>()
        };
        while !messages().contains(&"WATCHDOG=1".to_owned()) {
            let moment = Duration::from_millis(1);
            assert!(timeout(moment, &mut attended).await.is_err());
        }
        // The second one never gets to anything from now on.
        let (stuck, free) = (all[1].clone(), std::sync::mpsc::channel::<()>());
        let (let_go, wait) = free;
        stuck.spawn(&TaskTracker::new(), async move {
            let _gone = wait.recv();
        });
        let minute = Duration::from_secs(60);
        assert!(timeout(minute, &mut attended).await.is_err());
        let heard = messages();
        assert!(heard.len() <= 1, "one may have been under way: {heard:?}");
        drop(let_go);
        workers.finish().await;
    }
}
