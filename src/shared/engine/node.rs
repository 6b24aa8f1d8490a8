//! One server of the engine: what is asked of it, and the task that keeps its connection.

use std::fmt;
use std::sync::{PoisonError, RwLock};
use std::time::Duration;

use redis::aio::MultiplexedConnection;
use redis::{Cmd, Pipeline, RedisError, RedisResult, Value};
use tokio::time::{Instant, timeout};

use super::breaker::Breaker;
use super::error::EngineError;
use super::place::Place;
use super::script::Call;

/// A server that takes changes. Nothing waits for it while its breaker is open.
pub(in crate::shared) struct Node {
    /// What the log calls it.
    name: String,
    place: Place,
    connection: RwLock<Option<MultiplexedConnection>>,
    pub(super) breaker: Breaker,
    /// A key of the server's own, to be set by probes.
    probe_key: RwLock<String>,
}

impl Node {
    pub(super) fn new(place: Place, probe_key: String) -> Self {
        Self {
            name: place.name(),
            place,
            connection: RwLock::new(None),
            breaker: Breaker::new(),
            probe_key: RwLock::new(probe_key),
        }
    }

    /// Whether it is asked at the moment.
    pub(in crate::shared) fn answers(&self) -> bool {
        !self.breaker.is_open()
    }

    pub(in crate::shared) fn name(&self) -> &str {
        &self.name
    }

    /// What the log calls the connection that listens to it.
    pub(in crate::shared) fn listening(&self) -> String {
        format!("{}, to listen", self.name)
    }

    /// Where it is.
    pub(super) fn place(&self) -> &Place {
        &self.place
    }

    pub(super) fn set_probe_key(&self, key: String) {
        let probe_key = self.probe_key.write();
        *probe_key.unwrap_or_else(PoisonError::into_inner) = key;
    }

    /// Runs a script.
    ///
    /// # Errors
    /// At once while the breaker is open; [`EngineError::Late`] after the limit, when the script may have run or may yet
    /// run.
    pub(super) async fn run(&self, call: &Call, limit: Duration) -> Result<Value, EngineError> {
        let mut connection = self.connection()?;
        let answer = timeout(limit, async {
            let answer = send(&mut connection, call.short()).await;
            match answer {
                Err(error) if error.is_unknown_script() => {
                    send(&mut connection, &call.long()).await
                }
                answer => answer,
            }
        });
        self.note(answer.await.unwrap_or(Err(EngineError::Late)))
    }

    /// Runs a script whose keys are only on their way to this server.
    pub(super) async fn run_once(
        &self,
        call: &Call,
        limit: Duration,
    ) -> Result<Value, EngineError> {
        let mut commands = Pipeline::new();
        commands.cmd("ASKING").add_command(call.long());
        let answers = self.send_all(&mut commands, limit).await?;
        answers
            .into_iter()
            .next_back()
            .unwrap_or(Err(EngineError::Form))
    }

    /// Runs scripts in one go, and returns the answer of each.
    pub(super) async fn run_all(
        &self,
        calls: &[&Call],
        limit: Duration,
    ) -> Vec<Result<Value, EngineError>> {
        let began = Instant::now();
        let mut commands = Pipeline::with_capacity(calls.len());
        for call in calls {
            commands.add_command(call.short().clone());
        }
        let mut answers = match self.send_all(&mut commands, limit).await {
            Ok(answers) => answers,
            Err(error) => return calls.iter().map(|_| Err(error.clone())).collect(),
        };
        let unknown = |answer: &Result<Value, EngineError>| {
            let error = answer.as_ref().err();
            error.is_some_and(EngineError::is_unknown_script)
        };
        // One call brings a script along; it is enough for those behind it.
        for (answer, call) in answers.iter_mut().zip(calls) {
            if unknown(answer) {
                let left = limit.saturating_sub(began.elapsed());
                *answer = self.run(call, left).await;
            }
        }
        answers
    }

    /// Sends commands in one go, and returns the answer of each.
    ///
    /// # Errors
    /// As [`Node::run`], for all of them.
    pub(in crate::shared) async fn send_all(
        &self,
        commands: &mut Pipeline,
        limit: Duration,
    ) -> Result<Vec<Result<Value, EngineError>>, EngineError> {
        let mut connection = self.connection()?;
        commands.ignore_errors();
        let answers = timeout(limit, async {
            let answers = commands.query_async::<Vec<RedisResult<Value>>>(&mut connection);
            answers.await.map_err(EngineError::from)
        });
        let answers = self.note(answers.await.unwrap_or(Err(EngineError::Late)))?;
        let each = answers.into_iter();
        let each = each.map(|answer| self.note(answer.map_err(EngineError::from)));
        Ok(each.collect())
    }

    /// Whether a server takes changes. It is asked even while the breaker is open.
    pub(super) async fn probe(
        &self,
        connection: &mut MultiplexedConnection,
        limit: Duration,
    ) -> Result<(), EngineError> {
        let mut set = redis::cmd("SET");
        let key = self.probe_key.read();
        set.arg(&*key.unwrap_or_else(PoisonError::into_inner));
        set.arg(1).arg("EX").arg(60);
        let answer = timeout(limit, send(connection, &set)).await;
        answer.unwrap_or(Err(EngineError::Late)).map(|_ok| ())
    }

    /// Has this connection be used from now on; `None` is none.
    pub(super) fn set_connection(&self, connection: Option<MultiplexedConnection>) {
        let held = self.connection.write();
        *held.unwrap_or_else(PoisonError::into_inner) = connection;
    }

    pub(super) fn connection(&self) -> Result<MultiplexedConnection, EngineError> {
        if self.breaker.is_open() {
            return Err(EngineError::Away);
        }
        let held = self.connection.read();
        let held = held.unwrap_or_else(PoisonError::into_inner);
        held.clone().ok_or(EngineError::Away)
    }

    /// Has the breaker see an answer.
    fn note<T>(&self, answer: Result<T, EngineError>) -> Result<T, EngineError> {
        match &answer {
            Ok(_) => self.breaker.note_answer(),
            Err(EngineError::Late) => self.breaker.note_late(),
            Err(error) if error.is_of_server() => self.breaker.open(),
            Err(_) => {}
        }
        answer
    }
}

async fn send(connection: &mut MultiplexedConnection, command: &Cmd) -> Result<Value, EngineError> {
    let answer: Result<Value, RedisError> = command.query_async(connection).await;
    answer.map_err(EngineError::from)
}

impl fmt::Debug for Node {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Node")
            .field("name", &self.name)
            .field("breaker", &self.breaker)
            .finish_non_exhaustive()
    }
}
