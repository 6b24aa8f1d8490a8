//! A restart under traffic: the next process accepts while the one before takes leave.

use std::net::TcpListener;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use rustix::process::Signal;
use tokio::sync::watch;
use tokio::task::JoinSet;

use super::kit::{Echo, Program, Socket, settings, soon};

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
        assert!(!log.contains("handshake rejected"), "{log}");
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
