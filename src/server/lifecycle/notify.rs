//! What the service manager is told of the process: sd_notify(3).
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

/// The service manager that started the process, if it wants to be told of it.
#[derive(Debug, Default)]
pub(crate) struct ServiceManager {
    socket: Option<Socket>,
    /// For how long the process may say nothing.
    watchdog: Option<Duration>,
    told: Mutex<Told>,
}

/// What was told.
#[derive(Debug, Default)]
struct Told {
    phase: Phase,
    /// Since the last one the settings are not those of the file.
    reload_rejected: bool,
    status: String,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Phase {
    #[default]
    Serving,
    Stopping,
}

/// Between two looks at what there is to tell.
const INTERVAL: Duration = Duration::from_secs(5);

/// The same, whatever the watchdog is set to.
const SHORTEST: Duration = Duration::from_millis(10);

/// A service manager that takes no message for so long is not told.
const SEND_TIMEOUT: Duration = Duration::from_secs(1);

/// Beyond the drain's deadline: what is cut then, threads, files.
const AFTER_DRAIN: Duration = Duration::from_secs(10);

impl ServiceManager {
    /// The one that `NOTIFY_SOCKET` names. Without it nothing is told to anybody; one that cannot
    /// be reached is worth a line of the log.
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
        self.tell(Phase::Serving, "READY=1", sessions);
    }

    /// The settings are being read again. [`Self::reloaded`] is to follow.
    pub(crate) fn reloading(&self) {
        let now = clock_gettime(ClockId::Monotonic);
        let micros = i128::from(now.tv_sec) * 1_000_000 + i128::from(now.tv_nsec) / 1_000;
        self.send(&format!("RELOADING=1\nMONOTONIC_USEC={micros}"));
    }

    /// The reload is over, well or not.
    pub(crate) fn reloaded(&self, is_rejected: bool, sessions: usize) {
        self.told().reload_rejected = is_rejected;
        self.tell(Phase::Serving, "READY=1", sessions);
    }

    /// The process takes leave of its sessions, for so long at most. A manager that would kill it
    /// before that is asked not to.
    pub(crate) fn stopping(&self, drain_deadline: Duration, sessions: usize) {
        let longest = drain_deadline.saturating_add(AFTER_DRAIN).as_micros();
        let longest = u64::try_from(longest).unwrap_or(u64::MAX);
        let message = format!("STOPPING=1\nEXTEND_TIMEOUT_USEC={longest}");
        self.tell(Phase::Stopping, &message, sessions);
    }

    /// Tells how many sessions there are, and that the process lives: that each of its workers has
    /// found the time to say so.
    pub(crate) async fn attend(
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
            self.tell_status(sessions());
            let Some(half) = half else {
                continue;
            };
            match timeout(half, all_answer(workers)).await {
                Ok(()) => self.send("WATCHDOG=1"),
                Err(_) => tracing::error!("a worker is stuck: the watchdog is not told"),
            }
        }
    }

    fn tell(&self, phase: Phase, message: &str, sessions: usize) {
        let status = {
            let mut told = self.told();
            told.phase = phase;
            told.status = told.sentence(sessions);
            told.status.clone()
        };
        self.send(&format!("{message}\nSTATUS={status}"));
    }

    fn tell_status(&self, sessions: usize) {
        let news = {
            let mut told = self.told();
            let sentence = told.sentence(sessions);
            (sentence != told.status).then(|| {
                told.status.clone_from(&sentence);
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
            tracing::warn!(%error, "the service manager was not told");
        }
    }

    fn told(&self) -> MutexGuard<'_, Told> {
        self.told.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Told {
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

/// A socket that a name with a leading `@` leads to without a file.
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

/// `WATCHDOG_USEC`, unless `WATCHDOG_PID` says that it is for another process.
fn watchdog(micros: Option<String>, process: Option<String>) -> Option<Duration> {
    let ours = std::process::id().to_string();
    if process.is_some_and(|process| process != ours) {
        return None;
    }
    let micros = micros?.parse().ok().filter(|micros| *micros > 0)?;
    Some(Duration::from_micros(micros))
}

/// Resolves when each worker has got to a task of ours.
async fn all_answer(workers: &[Worker]) {
    for worker in workers {
        worker.answers().await;
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
        let mut attended = Box::pin(manager.attend(&all, || 0));
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
