//! What a service manager is told, over the socket that it names.

use std::os::linux::net::SocketAddrExt;
use std::os::unix::net::{SocketAddr, UnixDatagram as BlockingDatagram};

use rustix::process::Signal;
use rustix::time::{ClockId, clock_gettime};
use tokio::net::{TcpStream, UnixDatagram};

use crate::kit::{Echo, Program, Socket, settings, soon};

/// The end of the socket that a service manager reads.
struct Manager {
    socket: UnixDatagram,
    /// As `NOTIFY_SOCKET` has it.
    name: String,
    _folder: tempfile::TempDir,
}

impl Manager {
    fn with_file() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let name = folder.path().join("notify").display().to_string();
        let socket = BlockingDatagram::bind(&name).unwrap();
        Self::of(socket, name, folder)
    }

    fn without_file() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let name = format!("wsgate{}", folder.path().display());
        let address = SocketAddr::from_abstract_name(&name).unwrap();
        let socket = BlockingDatagram::bind_addr(&address).unwrap();
        Self::of(socket, format!("@{name}"), folder)
    }

    fn of(socket: BlockingDatagram, name: String, folder: tempfile::TempDir) -> Self {
        socket.set_nonblocking(true).unwrap();
        Self {
            socket: UnixDatagram::from_std(socket).unwrap(),
            name,
            _folder: folder,
        }
    }

    fn variable(&self) -> (&str, &str) {
        ("NOTIFY_SOCKET", &self.name)
    }

    /// The next message, line by line.
    #[track_caller]
    fn next(&self) -> impl Future<Output = Vec<String>> {
        soon("a message", async {
            let mut message = [0; 4096];
            let length = self.socket.recv(&mut message).await.unwrap();
            let text = std::str::from_utf8(&message[..length]).unwrap();
            text.lines().map(str::to_owned).collect()
        })
    }

    /// The next message that has this line; others are passed over.
    async fn until(&self, line: &str) -> Vec<String> {
        loop {
            let message = self.next().await;
            if message.iter().any(|found| found == line) {
                return message;
            }
        }
    }
}

#[tokio::test]
async fn readiness_reloads_and_the_stop_are_notified_over_either_kind_of_socket() {
    let echo = Echo::start().await;
    for manager in [Manager::with_file(), Manager::without_file()] {
        let text = settings(echo.url(), "[drain]\nspread = \"0s\"\ndeadline = \"20s\"");
        let mut program = Program::run_with(&text, &[manager.variable()]).await;
        let ready = ["READY=1", "STATUS=Serving, no session open"];
        assert_eq!(manager.next().await, ready);
        let mut socket = Socket::open(&program.address, "/ws/").await;
        socket.echoes("hello").await;

        program.signal(Signal::HUP);
        let reloading = manager.until("RELOADING=1").await;
        let [_, time] = &reloading[..] else {
            panic!("{reloading:?}");
        };
        let micros: i64 = time
            .strip_prefix("MONOTONIC_USEC=")
            .unwrap()
            .parse()
            .unwrap();
        let now = clock_gettime(ClockId::Monotonic).tv_sec;
        assert!((now - 60..=now).contains(&(micros / 1_000_000)), "{time}");
        // The words alone may come in between, once in a while.
        assert_eq!(
            manager.until("READY=1").await,
            ["READY=1", "STATUS=Serving, 1 session open"]
        );

        program.rewrite("not settings");
        program.signal(Signal::HUP);
        manager.until("RELOADING=1").await;
        let rejected = "STATUS=Serving, 1 session open; the last reload was rejected, see the log";
        assert_eq!(manager.until("READY=1").await, ["READY=1", rejected]);

        program.signal(Signal::TERM);
        // The drain, and ten seconds.
        let stopping = [
            "STOPPING=1",
            "EXTEND_TIMEOUT_USEC=30000000",
            "STATUS=Stopping, 1 session left",
        ];
        assert_eq!(manager.until("STOPPING=1").await, stopping);
        assert_eq!(socket.closed().await.0, 1001);
        socket.end().await;
        assert_eq!(program.ended().await.0, Some(0));
    }
}

#[tokio::test]
async fn every_address_accepts_connections_when_ready_is_notified() {
    let manager = Manager::with_file();
    let admin = "[admin]\naddress = \"127.0.0.1:0\"";
    let text = settings("ws://127.0.0.1:1", admin);
    let variables = [manager.variable()];
    let starting = Program::run_with(&text, &variables);
    manager.until("READY=1").await;
    let program = starting.await;
    let admin = program.admin().await;
    for address in [&program.address, &admin] {
        let connected = soon("an answer", TcpStream::connect(address)).await;
        connected.unwrap();
    }
    program.stop().await;
}

#[tokio::test]
async fn the_watchdog_is_fed_twice_in_its_time_and_while_it_stops() {
    let echo = Echo::start().await;
    let manager = Manager::with_file();
    let more = "timeouts.close = \"1h\"\n[drain]\nspread = \"0s\"\ndeadline = \"1h\"";
    let variables = [manager.variable(), ("WATCHDOG_USEC", "200000")];
    let program = Program::run_with(&settings(echo.url(), more), &variables).await;
    manager.until("WATCHDOG=1").await;
    manager.until("WATCHDOG=1").await;
    // A client that never answers keeps the drain going.
    let mut socket = Socket::open(&program.address, "/ws/").await;
    socket.echoes("hello").await;
    program.signal(Signal::TERM);
    manager.until("STOPPING=1").await;
    manager.until("WATCHDOG=1").await;
    manager.until("WATCHDOG=1").await;
}

#[tokio::test]
async fn a_manager_that_cannot_be_reached_is_a_warning() {
    for name in ["/nowhere/notify", "vsock:2:1234"] {
        let variables = [("NOTIFY_SOCKET", name)];
        let program = Program::run_with(&settings("ws://127.0.0.1:1", ""), &variables).await;
        let log = program.stop().await;
        assert!(
            log.contains("the service manager cannot be reached"),
            "{log}"
        );
    }
}
