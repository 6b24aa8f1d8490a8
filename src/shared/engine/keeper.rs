//! The task that keeps the connection with one server.

use std::sync::Arc;
use std::time::Duration;

use redis::Pipeline;
use tokio::sync::Notify;
use tokio::time::{Instant, sleep};

use super::condition::Condition;
use super::error::EngineError;
use super::link::{Link, Manners, NO_PUSH};
use super::node::Node;
use super::pause::Pauses;
use super::place::{Place, check_role};

/// Connects with a server, probes it, and connects again.
pub(super) struct Keeper {
    pub(super) node: Arc<Node>,
    pub(super) place: Place,
    pub(super) manners: Manners,
    pub(super) condition: Arc<Condition>,
    /// What a new connection loads.
    pub(super) scripts: Arc<Pipeline>,
    /// Woken where the server may not be the right one any more.
    pub(super) misplaced: Arc<Notify>,
}

/// The pauses between attempts to connect.
const FIRST_PAUSE: Duration = Duration::from_millis(50);
const LONGEST_PAUSE: Duration = Duration::from_secs(2);

/// A quiet connection is probed so often.
const HEARTBEAT: Duration = Duration::from_secs(1);

/// What a probe has for its answer.
const PROBE: Duration = Duration::from_millis(500);

/// The pauses between probes while nothing else is sent.
const FIRST_PROBE: Duration = Duration::from_millis(20);
const LAST_PROBE: Duration = Duration::from_millis(500);

/// A connection on which no probe succeeds for so long is given up.
const GIVE_UP: Duration = Duration::from_secs(5);

/// Sentinels are asked so often whether another server has taken the place of this one.
const LOOK_AGAIN: Duration = Duration::from_secs(5);

/// What the scripts have to be loaded.
const LOAD: Duration = Duration::from_secs(1);

impl Keeper {
    pub(super) async fn keep(self) {
        let mut pauses = Pauses::new(FIRST_PAUSE, LONGEST_PAUSE);
        loop {
            let lost = match self.connect().await {
                Ok((link, endpoint_moves)) => {
                    pauses.reset();
                    let lost = self.watch(link, endpoint_moves).await;
                    self.node.breaker.open();
                    self.node.set_connection(None);
                    lost
                }
                Err(error) => error,
            };
            self.condition.lost(self.node.name(), &lost);
            if lost.is_misplaced() {
                self.misplaced.notify_one();
            }
            sleep(pauses.next(rand::random())).await;
        }
    }

    /// A connection that has passed its first probe, and a future that ends when the server has moved.
    async fn connect(&self) -> Result<(Link, impl Future<Output = ()> + use<'_>), EngineError> {
        let endpoint = self.place.locate(&self.manners).await?;
        let mut link = self.manners.connect(&endpoint, NO_PUSH).await?;
        if self.place.may_move() {
            check_role(&mut link, &endpoint).await?;
        }
        self.load_scripts(&mut link).await?;
        self.probe(&mut link).await?;
        self.node.set_connection(Some(link.connection.clone()));
        self.node.breaker.close();
        self.condition.found(self.node.name(), 0);
        self.condition.note_connection();
        let moves = async move {
            if !self.place.may_move() {
                return std::future::pending().await;
            }
            loop {
                sleep(LOOK_AGAIN).await;
                if let Ok(now) = self.place.locate(&self.manners).await
                    && now != endpoint
                {
                    return;
                }
            }
        };
        Ok((link, moves))
    }

    /// Scripts that cannot be loaded come along with each call.
    async fn load_scripts(&self, link: &mut Link) -> Result<(), EngineError> {
        let mut connection = link.connection.clone();
        let loading = self.scripts.query_async::<redis::Value>(&mut connection);
        tokio::select! {
            biased;
            _loaded = tokio::time::timeout(LOAD, loading) => Ok(()),
            () = &mut link.driver => Err(EngineError::Lost),
        }
    }

    async fn probe(&self, link: &mut Link) -> Result<(), EngineError> {
        let mut connection = link.connection.clone();
        tokio::select! {
            biased;
            probed = self.node.probe(&mut connection, PROBE) => probed,
            () = &mut link.driver => Err(EngineError::Lost),
        }
    }

    /// Keeps a connection until it is lost.
    async fn watch(&self, mut link: Link, moves: impl Future<Output = ()>) -> EngineError {
        let mut moves = std::pin::pin!(moves);
        loop {
            tokio::select! {
                biased;
                () = &mut link.driver => return EngineError::Lost,
                () = &mut moves => return EngineError::Replaced,
                () = self.node.breaker.opened() => {}
                () = sleep(HEARTBEAT) => {}
            }
            if let Err(error) = self.wait_for_answer(&mut link).await {
                return error;
            }
        }
    }

    /// Probes a server until it answers. Nothing waits for one that does not.
    ///
    /// # Errors
    /// Where the connection is to be made anew. After [`EngineError::Lost`] its driver must not be polled again.
    async fn wait_for_answer(&self, link: &mut Link) -> Result<(), EngineError> {
        let began = Instant::now();
        let mut pauses = Pauses::new(FIRST_PROBE, LAST_PROBE);
        loop {
            let failure = match self.probe(link).await {
                Ok(()) => {
                    self.node.breaker.close();
                    self.condition.found(self.node.name(), 0);
                    return Ok(());
                }
                Err(failure) => failure,
            };
            self.node.breaker.open();
            self.condition.lost(self.node.name(), &failure);
            let is_in_vain = began.elapsed() > GIVE_UP && matches!(failure, EngineError::Late);
            if is_in_vain || failure.is_misplaced() || matches!(failure, EngineError::Lost) {
                return Err(failure);
            }
            tokio::select! {
                biased;
                () = &mut link.driver => return Err(EngineError::Lost),
                () = sleep(pauses.next(rand::random())) => {}
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use redis::aio::MultiplexedConnection;
    use redis::{AsyncConnectionConfig, RedisConnectionInfo};
    use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream, duplex};

    use super::*;
    use crate::config::OnFailure;
    use crate::shared::engine::error::Endpoint;

    fn keeper() -> Keeper {
        let place = Place::Fixed(Endpoint {
            host: "server".to_owned(),
            port: 1,
        });
        Keeper {
            node: Arc::new(Node::new(place.clone(), "probe".to_owned())),
            place,
            manners: Manners {
                database: 0,
                username: None,
                password: None,
                tls: None,
            },
            condition: Arc::new(Condition::new("server:1".to_owned(), OnFailure::Local)),
            scripts: Arc::default(),
            misplaced: Arc::default(),
        }
    }

    /// Says yes to each command, but goes at the first probe.
    async fn answer_until_probed(mut stream: DuplexStream) {
        let mut buffer = [0; 1024];
        while let Ok(length @ 1..) = stream.read(&mut buffer).await {
            let commands = String::from_utf8_lossy(&buffer[..length]);
            if commands.contains("\r\nSET\r\n") {
                return;
            }
            let count = commands.matches('*').count();
            stream
                .write_all("+OK\r\n".repeat(count).as_bytes())
                .await
                .unwrap();
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_server_that_goes_while_it_is_probed_is_connected_again() {
        let (ours, theirs) = duplex(1024);
        let keeper = keeper();
        let kept = async {
            let info = RedisConnectionInfo::default();
            let config = AsyncConnectionConfig::new().set_response_timeout(None);
            let opened = MultiplexedConnection::new_with_config(&info, ours, config).await;
            let (connection, driver) = opened.unwrap();
            let link = Link {
                connection,
                driver: Box::pin(driver),
            };
            keeper.node.breaker.close();
            keeper.watch(link, std::future::pending()).await
        };
        let (lost, ()) = tokio::join!(kept, answer_until_probed(theirs));
        assert!(matches!(lost, EngineError::Lost), "{lost:?}");
        assert!(!keeper.node.answers());
    }
}
