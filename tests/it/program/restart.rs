//! A restart under traffic: the next process accepts while the one before takes leave.

use std::net::TcpListener;
use std::os::unix::net::UnixListener;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use rustix::process::Signal;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::UnixStream;
use tokio::sync::watch;
use tokio::task::JoinSet;

use super::admin::ask;
use crate::kit::{Echo, Program, Socket, Wire, finish, settings, soon};

/// Clients that open a session, use it and close it, again and again.
struct Traffic {
    clients: JoinSet<()>,
    opened: Arc<watch::Sender<usize>>,
    enough: Arc<AtomicBool>,
}

impl Traffic {
    const CLIENTS: usize = 8;

    /// Each panics at the first connection or handshake that fails.
    fn start(address: &str) -> Self {
        let mut traffic = Self {
            clients: JoinSet::new(),
            opened: Arc::default(),
            enough: Arc::default(),
        };
        for _ in 0..Self::CLIENTS {
            let (opened, enough) = (traffic.opened.clone(), traffic.enough.clone());
            let address = address.to_owned();
            traffic.clients.spawn(async move {
                while !enough.load(Ordering::Relaxed) {
                    let socket = Socket::open(&address, "/ws/").await;
                    opened.send_modify(|opened| *opened += 1);
                    socket.close().await;
                }
            });
        }
        traffic
    }

    /// Waits for so many more sessions to be opened.
    async fn goes_on(&mut self, more: usize) {
        let wanted = *self.opened.borrow() + more;
        let mut opened = self.opened.subscribe();
        let enough = opened.wait_for(|opened| *opened >= wanted);
        tokio::select! {
            enough = soon("more sessions", enough) => drop(enough.expect("a sender")),
            Some(ended) = self.clients.join_next() => ended.expect("no handshake fails"),
        }
    }

    async fn stop(mut self) {
        self.enough.store(true, Ordering::Relaxed);
        while let Some(ended) = self.clients.join_next().await {
            ended.expect("no handshake fails");
        }
    }
}

/// A drain that ends a session only when its client says so.
fn settings_on(address: &str, echo: &Echo) -> String {
    let more = "timeouts.close = \"1h\"\n[drain]\nspread = \"0s\"\ndeadline = \"1h\"";
    settings(echo.url(), more).replace("127.0.0.1:0", address)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_handshake_fails_while_processes_on_one_socket_take_turns() {
    let echo = Echo::start().await;
    // Who holds the socket all along: a socket unit, say.
    let holder = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = holder.local_addr().unwrap().to_string();
    let text = settings_on(&address, &echo);
    let start = || {
        let socket = holder.try_clone().unwrap().into();
        Program::run_passed(&text, vec![socket], &[])
    };
    let mut program = start().await;
    let mut traffic = Traffic::start(&address);
    for _ in 0..5 {
        traffic.goes_on(50).await;
        // Its clients are behind the others, and so this is the old process's.
        let mut old_session = Socket::open(&address, "/ws/").await;
        let next = start().await;
        program.signal(Signal::TERM);
        program.event("draining").await;
        traffic.goes_on(50).await;
        assert_eq!(old_session.closed().await.0, 1001);
        old_session.end().await;
        let (code, log) = program.ended().await;
        assert_eq!(code, Some(0), "{log}");
        assert!(!log.contains("rejected"), "{log}");
        program = next;
    }
    traffic.stop().await;
    program.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn clients_wait_in_the_queue_of_a_held_socket_while_nobody_accepts() {
    let echo = Echo::start().await;
    let holder = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = holder.local_addr().unwrap().to_string();
    let text = settings_on(&address, &echo);
    let start = || {
        let socket = holder.try_clone().unwrap().into();
        Program::run_passed(&text, vec![socket], &[])
    };
    let mut traffic = Traffic::start(&address);
    for _ in 0..5 {
        let program = start().await;
        traffic.goes_on(50).await;
        program.stop().await;
    }
    let program = start().await;
    traffic.stop().await;
    program.stop().await;
}

/// `wsgate run` with these settings, and where it hands over, once it does.
pub(super) async fn start_at(path: &Path, folder: &Path, number: usize, text: &str) -> Program {
    let file = folder.join(format!("{number}.toml"));
    std::fs::write(&file, text).unwrap();
    let (file, path) = (file.to_str().unwrap(), path.to_str().unwrap());
    let program = Program::serving(&["run", file, "--handover", path]).await;
    program.event("the next process can take over").await;
    program
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_handshake_fails_while_one_process_hands_over_to_the_next() {
    let echo = Echo::start().await;
    let folder = tempfile::tempdir().unwrap();
    let (path, unix) = (folder.path().join("handover"), folder.path().join("gate"));
    let others = format!(
        "[[listen]]\naddress = \"unix:{}\"\n[admin]\naddress = ",
        unix.display()
    );
    let settings_on = |address: &str, admin: &str| {
        let text = settings_on(address, &echo);
        format!("{text}{others}\"{admin}\"\n")
    };
    let any = "127.0.0.1:0";
    let mut program = start_at(&path, folder.path(), 0, &settings_on(any, any)).await;
    let (address, admin) = (program.address.clone(), program.admin().await);
    let mut traffic = Traffic::start(&address);
    for number in 1..=5 {
        traffic.goes_on(50).await;
        let mut old_session = Socket::open(&address, "/ws/").await;
        let text = settings_on(&address, &admin);
        let next = start_at(&path, folder.path(), number, &text).await;
        program.event("draining").await;
        traffic.goes_on(50).await;
        // Of the two it is the next one that can be asked.
        assert_eq!(ask(&admin, "GET /readyz", "").await.status(), 200);
        let wire = Wire::connect_unix(&unix).await;
        let new_session = Socket::open_on(wire, "gate.test", "/ws/", &[]).await;
        let mut new_session = new_session.ok().unwrap();
        assert_eq!(old_session.closed().await.0, 1001);
        old_session.end().await;
        let (code, log) = program.ended().await;
        assert_eq!(code, Some(0), "{log}");
        assert!(!log.contains("rejected"), "{log}");
        new_session.echoes("still here").await;
        new_session.close().await;
        program = next;
    }
    traffic.stop().await;
    program.stop().await;
    assert!(!unix.exists() && !path.exists());
}

#[tokio::test]
async fn a_next_process_that_does_not_get_to_serve_changes_nothing() {
    let echo = Echo::start().await;
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("handover");
    let unix = folder.path().join("gate");
    let on_unix = format!("[[listen]]\naddress = \"unix:{}\"\n", unix.display());
    let any = "127.0.0.1:0";
    let text = format!("{}{on_unix}", settings_on(any, &echo));
    let mut program = start_at(&path, folder.path(), 0, &text).await;
    let mut session = Socket::open(&program.address, "/ws/").await;
    let listener = TcpListener::bind(any).unwrap();
    let taken = listener.local_addr().unwrap();
    let more = format!("{on_unix}[[listen]]\naddress = \"{taken}\"");
    let text = settings(echo.url(), &more).replace(any, &program.address);
    let file = folder.path().join("1.toml");
    std::fs::write(&file, text).unwrap();
    let (file, handover) = (file.to_str().unwrap(), path.to_str().unwrap());
    let failed = finish(&["run", file, "--handover", handover]).await;
    assert_eq!(failed.code, Some(2), "{failed:?}");
    let warned = |line: &str| line.contains("ended before it served").then_some(());
    program.line("a warning", warned).await;
    session.echoes("still here").await;
    session.close().await;
    let session = Socket::open(&program.address, "/ws/").await;
    // It had the sockets in its hands, and has taken nothing with it.
    Wire::connect_unix(&unix).await;

    // It is still there to be succeeded, also by one that listens elsewhere.
    let next = start_at(&path, folder.path(), 2, &settings_on(any, &echo)).await;
    program.event("draining").await;
    assert_ne!(next.address, program.address);
    session.close().await;
    assert_eq!(program.ended().await.0, Some(0));
    let refused = tokio::net::TcpStream::connect(&program.address).await;
    assert!(refused.is_err());
    next.stop().await;
}

#[tokio::test]
async fn a_handover_from_something_else_is_an_error_with_its_cause() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("precious");
    std::fs::write(&file, "precious").unwrap();
    let mute = folder.path().join("mute");
    let listener = UnixListener::bind(&mute).unwrap();
    let hangs_up = tokio::task::spawn_blocking(move || drop(listener.accept()));
    let nowhere = folder.path().join("nowhere/handover");
    for (path, cause) in [
        (&file, "the path is a file that is not a socket"),
        (&mute, "the process there does not hand over its sockets"),
        (&nowhere, "No such file or directory"),
    ] {
        let to = ["run", "--to", "ws://127.0.0.1:1", "--listen", "127.0.0.1:0"];
        let path = path.to_str().unwrap();
        let failed = finish(&[&to[..], &["--handover", path]].concat()).await;
        assert_eq!(failed.code, Some(2), "{failed:?}");
        let error = format!("error: cannot take over at {path}: {cause}");
        assert!(failed.stderr.contains(&error), "{}", failed.stderr);
        assert!(failed.stderr.contains("\nhelp: "), "{}", failed.stderr);
    }
    hangs_up.await.unwrap();
    assert_eq!(std::fs::read_to_string(file).unwrap(), "precious");
}

/// A next process that has been given the sockets, and does not get on.
async fn hanging_at(path: &Path) -> UnixStream {
    let mut hanging = UnixStream::connect(path).await.unwrap();
    // One with the sockets, and one without any behind it.
    for _ in 0..2 {
        let mut word = [0; 8];
        let read = soon("the sockets", hanging.read_exact(&mut word)).await;
        read.unwrap();
        assert_eq!(&word, b"wsgate 1");
    }
    hanging
}

#[tokio::test]
async fn one_signal_does_not_cut_a_drain_short_that_a_next_process_began() {
    let echo = Echo::start().await;
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("handover");
    let text = settings_on("127.0.0.1:0", &echo);
    let mut program = start_at(&path, folder.path(), 0, &text).await;
    let mut session = Socket::open(&program.address, "/ws/").await;
    let text = settings_on(&program.address, &echo);
    let next = start_at(&path, folder.path(), 1, &text).await;
    assert_eq!(session.closed().await.0, 1001);
    // Whoever starts the next one by hand or script ends the one before in the same breath.
    program.signal(Signal::TERM);
    program
        .event("stopping already: another signal ends the process at once")
        .await;
    session.end().await;
    assert_eq!(program.ended().await.0, Some(0));

    let mut session = Socket::open(&next.address, "/ws/").await;
    let mut program = next;
    let next = start_at(&path, folder.path(), 2, &text).await;
    assert_eq!(session.closed().await.0, 1001);
    program.signal(Signal::TERM);
    program
        .event("stopping already: another signal ends the process at once")
        .await;
    program.signal(Signal::TERM);
    assert_eq!(program.ended().await.0, Some(143));
    next.stop().await;
}

#[tokio::test]
async fn a_stop_leaves_the_sockets_to_the_next_process_that_has_them_already() {
    let echo = Echo::start().await;
    let folder = tempfile::tempdir().unwrap();
    let (path, unix) = (folder.path().join("handover"), folder.path().join("gate"));
    let on_unix = format!("[[listen]]\naddress = \"unix:{}\"\n", unix.display());
    let text = format!("{}{on_unix}", settings_on("127.0.0.1:0", &echo));
    let program = start_at(&path, folder.path(), 0, &text).await;
    let mut hanging = hanging_at(&path).await;
    program.stop().await;
    // It was told so before it could say that it serves, and is the only one to serve that file now.
    assert!(unix.exists());
    assert!(hanging.write_u8(b'!').await.is_err());

    // If it never does, the file is one that was left behind.
    start_at(&path, folder.path(), 1, &text).await.stop().await;
    assert!(!unix.exists());
}

#[tokio::test]
async fn a_second_handover_during_the_first_fails_at_once() {
    let echo = Echo::start().await;
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("handover");
    let text = settings_on("127.0.0.1:0", &echo);
    let mut program = start_at(&path, folder.path(), 0, &text).await;
    let hanging = hanging_at(&path).await;
    let text = settings_on(&program.address, &echo);
    let file = folder.path().join("1.toml");
    std::fs::write(&file, &text).unwrap();
    let line = ["run", file.to_str().unwrap(), "--handover"];
    let failed = finish(&[&line[..], &[path.to_str().unwrap()]].concat()).await;
    assert_eq!(failed.code, Some(2), "{failed:?}");
    let cause = ": another process is taking over there\nhelp: wait for it, or stop it";
    assert!(failed.stderr.contains(cause), "{}", failed.stderr);
    let told = "another process is taking over: a further request was refused";
    let told = program.event(told).await;
    assert_eq!(told["process"], std::process::id());

    drop(hanging);
    let next = start_at(&path, folder.path(), 2, &text).await;
    assert_eq!(program.ended().await.0, Some(0));
    next.stop().await;
}

#[tokio::test]
async fn a_unix_socket_whose_file_is_gone_is_bound_anew() {
    let echo = Echo::start().await;
    let folder = tempfile::tempdir().unwrap();
    let (path, unix) = (folder.path().join("handover"), folder.path().join("gate"));
    let on_unix = format!("[[listen]]\naddress = \"unix:{}\"\n", unix.display());
    let text = |address: &str| format!("{}{on_unix}", settings_on(address, &echo));
    let mut program = start_at(&path, folder.path(), 0, &text("127.0.0.1:0")).await;
    // By whoever tidied up: nobody can connect to the socket that is left.
    std::fs::remove_file(&unix).unwrap();
    let address = program.address.clone();
    let next = start_at(&path, folder.path(), 1, &text(&address)).await;
    assert_eq!(next.address, address);
    assert_eq!(program.ended().await.0, Some(0));
    let wire = Wire::connect_unix(&unix).await;
    let session = Socket::open_on(wire, "gate.test", "/ws/", &[]).await;
    session.ok().unwrap().echoes("there again").await;
    next.stop().await;
}
