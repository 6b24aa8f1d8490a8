//! Notifications to the service manager: sd_notify(3).
//!
//! ```text
//! READY=1 ─► (RELOADING=1 ─► READY=1)… ─► STOPPING=1        STATUS= and WATCHDOG=1 all along
//! ```

use std::collections::VecDeque;
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
use tokio::sync::Notify;
use tokio::time::{MissedTickBehavior, interval, sleep, timeout};

use super::workers::Worker;

/// The service manager that started the process, if it takes notifications.
#[derive(Debug, Default)]
pub(crate) struct ServiceManager {
    socket: Option<Socket>,
    /// The longest time between two watchdog messages.
    watchdog: Option<Duration>,
    reported: Mutex<Reported>,
    /// Messages that the manager has had no room for, in their order.
    waiting: Mutex<VecDeque<String>>,
    /// Notified of one more of them.
    has_waiting: Notify,
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

/// Messages that may wait for room; before one more the first of them is lost.
const MAX_WAITING: usize = 16;

/// How often the manager is tried that had no room.
const RETRY_INTERVAL: Duration = Duration::from_millis(100);

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
        self.send(format!("RELOADING=1\nMONOTONIC_USEC={micros}"));
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
            tokio::select! {
                _ = looks.tick() => {}
                () = self.retry() => continue,
            }
            self.notify_status(sessions());
            let Some(half) = half else {
                continue;
            };
            match timeout(half, all_respond(workers)).await {
                Ok(()) => self.send_if_room("WATCHDOG=1"),
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
        self.send(format!("{message}\nSTATUS={status}"));
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
            self.send_if_room(&format!("STATUS={status}"));
        }
    }

    /// Sends what the manager has to know: now, or when it has room again.
    fn send(&self, message: String) {
        let Some(socket) = &self.socket else {
            return;
        };
        let mut waiting = self.waiting();
        if waiting.is_empty() && is_over(socket.send(message.as_bytes())) {
            return;
        }
        if waiting.len() == MAX_WAITING {
            waiting.pop_front();
            is_over(Err(io::ErrorKind::TimedOut.into()));
        }
        waiting.push_back(message);
        self.has_waiting.notify_one();
    }

    /// Sends what is out of date soon anyway.
    fn send_if_room(&self, message: &str) {
        if let Some(socket) = &self.socket
            && self.send_waiting(socket)
        {
            is_over(socket.send(message.as_bytes()));
        }
    }

    /// Sends what waits, until there is no more room; whether nothing waits.
    fn send_waiting(&self, socket: &Socket) -> bool {
        let mut waiting = self.waiting();
        while let Some(message) = waiting.front() {
            if !is_over(socket.send(message.as_bytes())) {
                return false;
            }
            waiting.pop_front();
        }
        true
    }

    /// Waits until something waits, and tries again to send it.
    async fn retry(&self) {
        while self.waiting().is_empty() {
            self.has_waiting.notified().await;
        }
        sleep(RETRY_INTERVAL).await;
        self.socket.as_ref().map(|socket| self.send_waiting(socket));
    }

    fn waiting(&self) -> MutexGuard<'_, VecDeque<String>> {
        // The queue is whole at every moment.
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
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

/// Whether a message is sent, or cannot be, which is logged; otherwise the manager has no room for it.
fn is_over(sent: io::Result<usize>) -> bool {
    match sent {
        Ok(_) => true,
        Err(error) if error.kind() == io::ErrorKind::WouldBlock => false,
        Err(error) => {
            tracing::warn!(%error, "the service manager was not notified");
            true
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
    // The thread that sends also handles signals.
    socket.set_nonblocking(true)?;
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
    use std::os::unix::net::UnixDatagram;

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

    /// A manager that reads at this socket what there is for it.
    fn heard(socket: &UnixDatagram) -> Vec<String> {
        let mut buffer = [0; 512];
        let next =
            std::iter::from_fn(|| socket.recv(&mut buffer).ok().map(|n| buffer[..n].to_vec()));
        next.map(|bytes| String::from_utf8(bytes).unwrap())
            .collect()
    }

    #[tokio::test(start_paused = true)]
    async fn what_a_manager_has_no_room_for_is_told_later_in_its_order_and_waited_for_by_nobody() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("notify");
        let socket = UnixDatagram::bind(&path).unwrap();
        socket.set_nonblocking(true).unwrap();
        let manager = ServiceManager {
            socket: Some(connect(path.into()).unwrap()),
            watchdog: Some(Duration::from_secs(4)),
            ..ServiceManager::default()
        };
        let mut filled = 0;
        while manager.waiting().is_empty() {
            manager.ready(filled);
            filled += 1;
        }
        manager.reloading();
        manager.reloaded(false, 7);
        let mut informed = Box::pin(manager.keep_informed(&[], || 7));
        // Meanwhile the watchdog is due, and said nothing of.
        let minute = Duration::from_secs(60);
        assert!(timeout(minute, &mut informed).await.is_err());
        assert_eq!(heard(&socket).len(), filled - 1);
        assert!(timeout(RETRY_INTERVAL * 2, &mut informed).await.is_err());
        let later = heard(&socket);
        assert!(later[0].starts_with("READY=1"), "{later:?}");
        assert!(later[1].starts_with("RELOADING=1"), "{later:?}");
        assert_eq!(later[2], "READY=1\nSTATUS=Serving, 7 sessions open");
        assert!(timeout(minute, &mut informed).await.is_err());
        assert!(heard(&socket).contains(&"WATCHDOG=1".to_owned()));
        // Of too many that wait the last ones are told.
        while manager.waiting().is_empty() {
            manager.ready(0);
        }
        for sessions in 0..MAX_WAITING {
            manager.ready(sessions);
        }
        assert_eq!(manager.waiting().len(), MAX_WAITING);
        let last = format!("{} sessions open", MAX_WAITING - 1);
        assert!(manager.waiting()[MAX_WAITING - 1].ends_with(&last));
    }

    #[tokio::test(start_paused = true)]
    async fn the_watchdog_hears_nothing_of_a_worker_that_is_stuck() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("notify");
        let socket = UnixDatagram::bind(&path).unwrap();
        socket.set_nonblocking(true).unwrap();
        let manager = ServiceManager {
            socket: Some(connect(path.into()).unwrap()),
            watchdog: Some(Duration::from_secs(4)),
            ..ServiceManager::default()
        };
        let workers = Workers::start(2).unwrap();
        let all: Vec<_> = workers.iter().cloned().collect();
        let mut attended = Box::pin(manager.keep_informed(&all, || 0));
        while !heard(&socket).contains(&"WATCHDOG=1".to_owned()) {
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
        let heard = heard(&socket);
        assert!(heard.len() <= 1, "one may have been under way: {heard:?}");
        drop(let_go);
        workers.finish().await;
    }
}
