//! Listens to what other gates publish and ask, on one server of the engine.
//!
//! It has a connection of its own, which is read at once: a server cuts a client off that does not read what was published.

use std::collections::HashSet;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use redis::aio::MultiplexedConnection;
use redis::{Pipeline, PushInfo, PushKind, RedisResult, Value, cmd};
use tokio::sync::mpsc::{self, Receiver as Messages};
use tokio::sync::{Notify, watch};
use tokio::task::yield_now;
use tokio::time::{sleep, timeout};

use super::Bus;
use super::topic::Topic;
use super::waits;
use crate::config::ChannelName;
use crate::shared::backlog::Backlog;
use crate::shared::engine::{Engine, EngineError, Link, Node, Pauses, Routes};

pub(super) struct Listener<'b> {
    pub(super) bus: &'b Bus,
    pub(super) engine: &'b Engine,
    pub(super) node: Arc<Node>,
    /// Channels whose retained publications have to be loaded.
    pub(super) loads: Backlog<ChannelName>,
}

/// A connection that listens, and what it has heard.
struct Connected {
    link: Link,
    messages: Messages<PushInfo>,
    overflowed: Arc<Notify>,
    /// What the server has given to another one, as it has said.
    given_away: Mutex<HashSet<Topic>>,
}

/// Messages that wait to be handed on. One that finds no room ends the connection: what is lost then is counted, and what is
/// retained is loaded again.
const MOST_WAITING: usize = 16 * 1024;

/// So many channels are subscribed to at once.
const BATCH: usize = 512;

/// The pauses between attempts to connect.
const FIRST_PAUSE: Duration = Duration::from_millis(50);
const LONGEST_PAUSE: Duration = Duration::from_secs(2);

/// A connection that hears nothing is tried so often.
const HEARTBEAT: Duration = Duration::from_secs(2);

/// What a server has to answer.
const ANSWER: Duration = Duration::from_secs(2);

impl Listener<'_> {
    /// Listens for as long as it is polled.
    pub(super) async fn listen(self) {
        let part = self.node.listening();
        let condition = &self.engine.condition;
        let mut pauses = Pauses::new(FIRST_PAUSE, LONGEST_PAUSE);
        let mut has_listened = false;
        condition.expect(&part);
        let _ended = Ended {
            listener: &self,
            part: &part,
        };
        loop {
            let lost = match self.connect().await {
                Ok(connected) => {
                    let listening = self.serve(connected, &part, &mut has_listened, &mut pauses);
                    listening.await
                }
                Err(error) => error,
            };
            self.release();
            condition.lost(&part, &lost);
            if lost.is_misplaced() {
                self.engine.look_again();
            }
            sleep(pauses.next(rand::random())).await;
        }
    }

    async fn connect(&self) -> Result<Connected, EngineError> {
        let (sender, messages) = mpsc::channel(MOST_WAITING);
        let overflowed = Arc::new(Notify::new());
        let full = Arc::clone(&overflowed);
        let push = move |message: PushInfo| {
            let sent = sender.try_send(message);
            sent.inspect_err(|_full| full.notify_one())
        };
        let link = self.engine.connect_to(&self.node, Some(push)).await?;
        Ok(Connected {
            link,
            messages,
            overflowed,
            given_away: Mutex::default(),
        })
    }

    /// Listens until the connection is lost.
    async fn serve(
        &self,
        connected: Connected,
        part: &str,
        has_listened: &mut bool,
        pauses: &mut Pauses,
    ) -> EngineError {
        let Connected {
            link,
            mut messages,
            overflowed,
            given_away,
        } = connected;
        let Link {
            mut connection,
            driver,
        } = link;
        let follow = async {
            let mut routes = self.engine.watch_routes();
            let known = Arc::clone(&routes.borrow_and_update());
            let channels = self.begin(&mut connection, &known).await?;
            pauses.reset();
            self.engine.condition.found(part, channels);
            if std::mem::replace(has_listened, true) {
                self.bus.note_interruption();
            }
            self.follow(&mut connection, known, routes, &given_away)
                .await
        };
        let _of_before = self.loads.take_now();
        let hear = async {
            while let Some(message) = messages.recv().await {
                if let Err(error) = self.hear(message, &given_away).await {
                    return error;
                }
            }
            EngineError::Lost
        };
        tokio::select! {
            // First, so that what has come is heard before the connection is given up.
            biased;
            lost = hear => lost,
            lost = follow => lost.err().unwrap_or(EngineError::Lost),
            () = overflowed.notified() => EngineError::Behind,
            () = driver => EngineError::Lost,
            never = self.bus.load(self.engine, &self.loads) => match never {},
        }
    }

    /// Subscribes to all that is wanted of this server, and loads what was missed. Returns how many channels there are.
    async fn begin(
        &self,
        connection: &mut MultiplexedConnection,
        routes: &Routes,
    ) -> Result<usize, EngineError> {
        let mut topics = self.own_topics();
        topics.retain(|topic| self.has_by(routes, topic));
        self.subscribe(connection, &topics, true).await?;
        let channels = self.bus.wanted.begin(self.node.name(), |channel| {
            self.has_by(routes, &Topic::Channel(channel.clone()))
        });
        self.take_in(connection, &channels).await?;
        Ok(channels.len())
    }

    /// The questions that the gate hears, whatever its channels are.
    fn own_topics(&self) -> Vec<Topic> {
        vec![Topic::Gates, Topic::Gate(self.bus.node)]
    }

    /// Subscribes to channels of which publications may have been missed.
    async fn take_in(
        &self,
        connection: &mut MultiplexedConnection,
        channels: &[ChannelName],
    ) -> Result<(), EngineError> {
        for channels in channels.chunks(BATCH) {
            if let Some(receiver) = self.bus.receiver() {
                let retained = self.retained(channels);
                retained
                    .iter()
                    .for_each(|channel| receiver.begin_catch_up(channel));
                self.bus.waits.begin(waits::UNHEARD, retained);
            }
            self.add(connection, channels).await?;
        }
        Ok(())
    }

    /// Follows what becomes wanted and unwanted, and what this server gets from others.
    async fn follow(
        &self,
        connection: &mut MultiplexedConnection,
        mut known: Arc<Routes>,
        mut routes: watch::Receiver<Arc<Routes>>,
        given_away: &Mutex<HashSet<Topic>>,
    ) -> Result<(), EngineError> {
        loop {
            let changes = timeout(HEARTBEAT, self.bus.wanted.changes(self.node.name()));
            let changes = tokio::select! {
                changes = changes => changes,
                // The engine has the sender.
                _changed = routes.changed() => {
                    let now = Arc::clone(&routes.borrow_and_update());
                    let given_away = std::mem::take(&mut *lock(given_away));
                    self.gain(connection, &known, &now, &given_away).await?;
                    known = now;
                    continue;
                }
            };
            let Ok(changes) = changes else {
                let ping: RedisResult<Value> = timeout(ANSWER, cmd("PING").query_async(connection))
                    .await
                    .map_err(|_late| EngineError::Late)?;
                ping?;
                continue;
            };
            let (added, removed): (Vec<_>, Vec<_>) =
                changes.into_iter().partition(|(_, is_wanted)| *is_wanted);
            let names = |changes: Vec<(ChannelName, bool)>| {
                let names = changes.into_iter().map(|(channel, _)| channel);
                names.collect::<Vec<_>>()
            };
            for channels in names(added).chunks(BATCH) {
                self.add(connection, channels).await?;
            }
            for channels in names(removed).chunks(BATCH) {
                let topics: Vec<_> = channels.iter().cloned().map(Topic::Channel).collect();
                self.subscribe(connection, &topics, false).await?;
            }
        }
    }

    /// Subscribes to what was another server's, or was given away and is back.
    async fn gain(
        &self,
        connection: &mut MultiplexedConnection,
        before: &Routes,
        now: &Routes,
        given_away: &HashSet<Topic>,
    ) -> Result<(), EngineError> {
        let is_new = |topic: &Topic| {
            self.has_by(now, topic) && (!self.has_by(before, topic) || given_away.contains(topic))
        };
        let mut topics = self.own_topics();
        topics.retain(is_new);
        let wanted = &self.bus.wanted;
        let channels = wanted.those(|channel| is_new(&Topic::Channel(channel.clone())));
        if topics.is_empty() && channels.is_empty() {
            return Ok(());
        }
        self.bus.note_interruption();
        self.subscribe(connection, &topics, true).await?;
        self.take_in(connection, &channels).await
    }

    fn retained(&self, channels: &[ChannelName]) -> Vec<ChannelName> {
        let receiver = self.bus.receiver();
        let is_retained = |channel: &&ChannelName| {
            let receiver = receiver.as_ref();
            receiver.is_some_and(|receiver| receiver.retain_of(channel) > 0)
        };
        channels.iter().filter(is_retained).cloned().collect()
    }

    /// Subscribes to channels, and has what they retain be loaded.
    async fn add(
        &self,
        connection: &mut MultiplexedConnection,
        channels: &[ChannelName],
    ) -> Result<(), EngineError> {
        let topics: Vec<_> = channels.iter().cloned().map(Topic::Channel).collect();
        self.subscribe(connection, &topics, true).await?;
        for channel in self.retained(channels) {
            self.loads.push(channel);
        }
        Ok(())
    }

    async fn subscribe(
        &self,
        connection: &mut MultiplexedConnection,
        topics: &[Topic],
        is_wanted: bool,
    ) -> Result<(), EngineError> {
        if topics.is_empty() {
            return Ok(());
        }
        let prefix = self.engine.prefix();
        let names: Vec<_> = topics.iter().map(|topic| topic.name(prefix)).collect();
        let subscribed = async {
            match (self.engine.is_cluster(), is_wanted) {
                (false, true) => connection.subscribe(&names).await,
                (false, false) => connection.unsubscribe(&names).await,
                (true, _) => {
                    let command = if is_wanted {
                        "SSUBSCRIBE"
                    } else {
                        "SUNSUBSCRIBE"
                    };
                    // One by one: a command may name channels of one slot only.
                    let mut commands = Pipeline::with_capacity(names.len());
                    for name in &names {
                        commands.cmd(command).arg(name).ignore();
                    }
                    commands.query_async(connection).await
                }
            }
        };
        let subscribed = timeout(ANSWER, subscribed).await;
        subscribed.map_err(|_late| EngineError::Late)??;
        Ok(())
    }

    /// Hands on what was published.
    async fn hear(
        &self,
        message: PushInfo,
        given_away: &Mutex<HashSet<Topic>>,
    ) -> Result<(), EngineError> {
        match message.kind {
            PushKind::Message | PushKind::SMessage => {}
            PushKind::Disconnection => return Err(EngineError::Lost),
            // The server has given the slot to another one, unless the channel is not wanted any more.
            PushKind::SUnsubscribe => {
                let topic = message.data.first().and_then(|name| self.topic(name));
                if let Some(topic) = topic.filter(|topic| self.wants(topic)) {
                    lock(given_away).insert(topic);
                    self.engine.look_again();
                }
                return Ok(());
            }
            _ => return Ok(()),
        }
        let mut data = message.data.into_iter();
        let (Some(name), Some(Value::BulkString(payload))) = (data.next(), data.next()) else {
            return Ok(());
        };
        if let Some(topic) = self.topic(&name) {
            self.bus.hear(topic, payload);
            // The sessions of this thread write meanwhile.
            yield_now().await;
        }
        Ok(())
    }

    fn topic(&self, name: &Value) -> Option<Topic> {
        match name {
            Value::BulkString(name) => Topic::read(name, self.engine.prefix()),
            _ => None,
        }
    }

    fn wants(&self, topic: &Topic) -> bool {
        match topic {
            Topic::Channel(channel) => self.bus.wanted.contains(channel),
            topic => self.own_topics().contains(topic),
        }
    }

    /// Whether this server has a topic.
    fn has(&self, topic: &Topic) -> bool {
        self.has_by(&self.engine.routes(), topic)
    }

    fn has_by(&self, routes: &Routes, topic: &Topic) -> bool {
        let node = routes.node(topic.slot(self.engine.prefix()));
        node.is_ok_and(|node| Arc::ptr_eq(node, &self.node))
    }

    /// Nothing of before will come: what waits for it goes on.
    fn release(&self) {
        let channels = self.bus.wanted.end(self.node.name(), |channel| {
            self.has(&Topic::Channel(channel.clone()))
        });
        self.bus.end_wait(&channels);
    }
}

fn lock(topics: &Mutex<HashSet<Topic>>) -> MutexGuard<'_, HashSet<Topic>> {
    // A set is whole at every moment.
    topics.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Ends a listener that is not polled any more.
struct Ended<'l, 'b> {
    listener: &'l Listener<'b>,
    part: &'l str,
}

impl Drop for Ended<'_, '_> {
    fn drop(&mut self) {
        self.listener.release();
        self.listener.engine.condition.forget(self.part);
    }
}
