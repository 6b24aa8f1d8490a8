//! The connections to one server, for all runtimes that use it.

use std::future::Future;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::runtime::{self, Handle};
use tokio::sync;
use tokio::time::{Instant, timeout_at};
use tokio_util::task::TaskTracker;

use super::connection;
use super::places::{Place, Places};
use crate::tls::ClientTls;
use crate::transport::Transport;
use crate::upstream::connect_error::ConnectError;

/// The connections to one server.
#[derive(Debug, Default)]
pub(crate) struct Connections {
    groups: Mutex<Vec<Group>>,
    /// Their drivers, and what goes out on them. Each ends with its connection.
    tasks: TaskTracker,
}

/// What connections have in common that a stream may be put on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Way {
    /// How TLS is made, if it is.
    pub(crate) tls: Option<ClientTls>,
    /// The largest head of an answer.
    pub(crate) head_size: usize,
    /// Whether the streams are to be WebSockets.
    pub(crate) is_websocket: bool,
}

#[derive(Debug)]
struct Group {
    runtime: runtime::Id,
    tls: Option<ClientTls>,
    head_size: usize,
    connections: Vec<Arc<Places>>,
    /// Held while a connection is opened: other handshakes wait for it, because it may have room for them.
    turn: Arc<sync::Mutex<()>>,
}

impl Connections {
    /// Takes a place on a connection with room, or on a new one over what `connect` brings within `limit`.
    pub(crate) async fn place<F>(
        &self,
        way: &Way,
        limit: Duration,
        connect: F,
    ) -> Result<Place, ConnectError>
    where
        F: Future<Output = Result<Transport, ConnectError>>,
    {
        let deadline = Instant::now() + limit;
        let runtime = Handle::current().id();
        if let Some(place) = self.free(runtime, way) {
            return websocket(place, way);
        }
        let turn = self.turn(runtime, way);
        let Ok(_turn) = timeout_at(deadline, turn.lock()).await else {
            return Err(ConnectError::Timeout);
        };
        if let Some(place) = self.free(runtime, way) {
            return websocket(place, way);
        }
        let opened = async { connection::open(connect.await?, way.head_size).await };
        let opened = timeout_at(deadline, opened).await;
        let (places, driver) = opened.map_err(|_elapsed| ConnectError::Timeout)??;
        self.tasks.spawn(driver);
        let place = places.take(&self.tasks);
        self.with_group(runtime, way, |group| group.connections.push(places));
        websocket(place.ok_or(ConnectError::NoStreams)?, way)
    }

    /// How many connections there are.
    pub(crate) fn count(&self) -> usize {
        let groups = self.groups();
        let connections = groups.iter().flat_map(|group| &group.connections);
        connections
            .filter(|connection| connection.is_there())
            .count()
    }

    /// A place on the first connection with room, so that the last ones can end.
    fn free(&self, runtime: runtime::Id, way: &Way) -> Option<Place> {
        self.with_group(runtime, way, |group| {
            group
                .connections
                .iter()
                .find_map(|places| places.take(&self.tasks))
        })
    }

    fn turn(&self, runtime: runtime::Id, way: &Way) -> Arc<sync::Mutex<()>> {
        self.with_group(runtime, way, |group| Arc::clone(&group.turn))
    }

    fn with_group<R>(
        &self,
        runtime: runtime::Id,
        way: &Way,
        then: impl FnOnce(&mut Group) -> R,
    ) -> R {
        let mut groups = self.groups();
        for group in groups.iter_mut() {
            let connections = &mut group.connections;
            connections.retain(|places| places.is_there());
        }
        let is_same = |group: &Group| {
            group.runtime == runtime && group.tls == way.tls && group.head_size == way.head_size
        };
        groups.retain(|group| {
            !group.connections.is_empty() || Arc::strong_count(&group.turn) > 1 || is_same(group)
        });
        let index = groups.iter().position(is_same);
        let index = index.unwrap_or_else(|| {
            groups.push(Group {
                runtime,
                tls: way.tls.clone(),
                head_size: way.head_size,
                connections: Vec::new(),
                turn: Arc::default(),
            });
            groups.len() - 1
        });
        then(&mut groups[index])
    }

    fn groups(&self) -> MutexGuard<'_, Vec<Group>> {
        self.groups.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The place, if it can be what it is to be.
fn websocket(place: Place, way: &Way) -> Result<Place, ConnectError> {
    match way.is_websocket && !place.enables_websockets() {
        true => Err(ConnectError::NoWebSockets),
        false => Ok(place),
    }
}

#[cfg(test)]
mod tests {
    use h2::server;
    use tokio::io::{AsyncWriteExt, DuplexStream, duplex};
    use tokio::task::JoinHandle;

    use super::*;

    const LIMIT: Duration = Duration::from_secs(3);

    fn way() -> Way {
        Way {
            tls: None,
            head_size: 16 * 1024,
            is_websocket: true,
        }
    }

    /// A server that answers what HTTP/2 itself asks, until its connection ends.
    fn serve(stream: DuplexStream) -> JoinHandle<()> {
        TaskTracker::new().spawn(async move {
            let mut builder = server::Builder::new();
            let opened = builder.enable_connect_protocol().handshake(stream);
            let mut connection: server::Connection<_, bytes::Bytes> = opened.await.unwrap();
            let _ended = connection.accept().await;
        })
    }

    async fn place(connections: &Connections, stream: DuplexStream) -> Result<Place, ConnectError> {
        let connect = async { Ok(Transport::custom(stream)) };
        connections.place(&way(), LIMIT, connect).await
    }

    #[tokio::test(start_paused = true)]
    async fn a_connection_is_closed_when_it_has_had_no_stream_for_a_while() {
        let connections = Connections::default();
        let (ours, theirs) = duplex(64 * 1024);
        let server = serve(theirs);
        let began = Instant::now();
        let held = place(&connections, ours).await.unwrap();
        tokio::time::sleep(Duration::from_secs(600)).await;
        assert_eq!(connections.count(), 1, "a stream holds it");
        assert!(!server.is_finished());
        drop(held);
        server.await.unwrap();
        let idle = began.elapsed() - Duration::from_secs(600);
        assert!(
            idle >= Duration::from_secs(15) && idle <= Duration::from_secs(30),
            "{idle:?}"
        );
        assert_eq!(connections.count(), 0);
    }

    #[tokio::test(start_paused = true)]
    async fn a_server_that_gives_no_sign_of_life_is_dead() {
        let connections = Connections::default();
        let (ours, mut theirs) = duplex(64 * 1024);
        theirs
            .write_all(b"\0\0\x06\x04\0\0\0\0\0\0\x08\0\0\0\x01")
            .await
            .unwrap();
        let began = Instant::now();
        let held = place(&connections, ours).await.unwrap();
        let mut said = Vec::new();
        tokio::io::AsyncReadExt::read_to_end(&mut theirs, &mut said)
            .await
            .unwrap();
        let silent = began.elapsed().as_secs();
        assert!((90..=105).contains(&silent), "{silent}");
        let ping = b"\0\0\x08\x06\0\0\0\0\0";
        assert!(
            said.windows(ping.len()).any(|bytes| bytes == ping),
            "no PING"
        );
        drop(held);
        assert_eq!(connections.count(), 0);
    }

    #[tokio::test]
    async fn each_runtime_has_connections_of_its_own() {
        let connections = Arc::new(Connections::default());
        let (ours, theirs) = duplex(64 * 1024);
        let _server = serve(theirs);
        let _held = place(&connections, ours).await.unwrap();
        let elsewhere = Arc::clone(&connections);
        let thread = std::thread::spawn(move || {
            let runtime = runtime::Builder::new_current_thread().enable_all().build();
            runtime.unwrap().block_on(async {
                let (ours, theirs) = duplex(64 * 1024);
                let _server = serve(theirs);
                let _held = place(&elsewhere, ours).await.unwrap();
                elsewhere.count()
            })
        });
        assert_eq!(thread.join().unwrap(), 2);
        // Its runtime is gone, and its driver with it.
        assert_eq!(connections.count(), 1);
    }
}
