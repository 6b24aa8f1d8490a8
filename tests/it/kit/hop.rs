//! A hop between two peers that does to their bytes what networks do.

use std::net::SocketAddr;
use std::sync::Arc;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::tcp::{ReadHalf, WriteHalf};
use tokio::net::{TcpListener, TcpStream, ToSocketAddrs};
use tokio::sync::watch;
use tokio::task::JoinSet;

/// Takes connections and relays each to the target; it ends when this is dropped.
pub(crate) struct Hop {
    address: SocketAddr,
    target: Arc<str>,
    mood: watch::Sender<Mood>,
    resets: watch::Sender<usize>,
    tasks: JoinSet<()>,
}

/// What becomes of bytes, in both directions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mood {
    /// They go on as they come.
    Pass,
    /// They go on one by one, each in a segment of its own.
    Drip,
    /// They stay, and no more are read.
    Stall,
}

impl Hop {
    /// A hop to `target`, which is `host:port` with or without a scheme.
    pub(crate) async fn to(target: &str) -> Self {
        let target = target.trim_start_matches("ws://").into();
        Self::listening("127.0.0.1:0", target).await
    }

    async fn listening(address: impl ToSocketAddrs, target: Arc<str>) -> Self {
        let listener = TcpListener::bind(address).await.expect("a port");
        let to = Arc::clone(&target);
        let address = listener.local_addr().expect("an address");
        let mood = watch::Sender::new(Mood::Pass);
        let resets = watch::Sender::new(0);
        let mut tasks = JoinSet::new();
        let (moods, reset) = (mood.subscribe(), resets.subscribe());
        tasks.spawn(async move {
            let mut connections = JoinSet::new();
            loop {
                let (near, _) = listener.accept().await.expect("a connection");
                let relayed = relay(near, Arc::clone(&to), moods.clone(), reset.clone());
                connections.spawn(relayed);
            }
        });
        Self {
            address,
            target,
            mood,
            resets,
            tasks,
        }
    }

    /// As the settings name it.
    pub(crate) fn url(&self) -> String {
        format!("ws://{}", self.address)
    }

    /// As a client connects to it.
    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    pub(crate) fn set(&self, mood: Mood) {
        self.mood.send_replace(mood);
    }

    /// Ends every connection that there is with a reset on both of its sides.
    pub(crate) fn reset(&self) {
        self.resets.send_modify(|resets| *resets += 1);
    }

    /// Ends every connection, and takes none any more: that of a process that was killed.
    pub(crate) async fn dies(self) -> Port {
        let Self {
            address,
            target,
            mut tasks,
            ..
        } = self;
        tasks.shutdown().await;
        Port { address, target }
    }
}

/// Where a hop was, and another may be.
pub(crate) struct Port {
    address: SocketAddr,
    target: Arc<str>,
}

impl Port {
    /// A hop in the place of the other.
    pub(crate) async fn returns(self) -> Hop {
        Hop::listening(self.address, self.target).await
    }
}

async fn relay(
    mut near: TcpStream,
    target: Arc<str>,
    mood: watch::Receiver<Mood>,
    mut reset: watch::Receiver<usize>,
) {
    reset.mark_unchanged();
    let Ok(mut far) = TcpStream::connect(&*target).await else {
        return;
    };
    for stream in [&near, &far] {
        stream.set_nodelay(true).expect("an option");
    }
    let (near_in, near_out) = near.split();
    let (far_in, far_out) = far.split();
    let there = one_way(near_in, far_out, mood.clone());
    let back = one_way(far_in, near_out, mood);
    let was_reset = tokio::select! {
        _both = async { tokio::join!(there, back) } => false,
        asked = reset.changed() => asked.is_ok(),
    };
    if was_reset {
        for stream in [&near, &far] {
            stream.set_zero_linger().expect("an option");
        }
    }
}

/// Relays until one of the two is gone, and passes an end on as an end.
async fn one_way(mut from: ReadHalf<'_>, mut into: WriteHalf<'_>, mut mood: watch::Receiver<Mood>) {
    let mut buffer = [0; 16 * 1024];
    loop {
        // The hop itself is gone when nobody sets its mood any more.
        let Ok(mood) = mood
            .wait_for(|mood| *mood != Mood::Stall)
            .await
            .map(|mood| *mood)
        else {
            return;
        };
        let most = match mood {
            Mood::Drip => 1,
            Mood::Pass | Mood::Stall => buffer.len(),
        };
        let Ok(length) = from.read(&mut buffer[..most]).await else {
            return;
        };
        let passed = match length {
            0 => into.shutdown().await,
            length => into.write_all(&buffer[..length]).await,
        };
        if length == 0 || passed.is_err() {
            return;
        }
    }
}
