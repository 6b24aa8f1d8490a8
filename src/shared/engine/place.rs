//! Where a server of the engine is.

use std::time::Duration;

use redis::{Value, cmd};
use tokio::time::timeout;

use super::error::{Endpoint, EngineError};
use super::link::{Link, Manners};

/// Where the server is that takes changes.
#[derive(Clone, Debug)]
pub(in crate::shared) enum Place {
    Fixed(Endpoint),
    /// These sentinels know it by the name of the servers that they watch.
    Sentinels {
        sentinels: Vec<Endpoint>,
        master: String,
    },
}

/// What one sentinel has for its answer.
const ANSWER: Duration = Duration::from_millis(500);

impl Place {
    /// What the log calls it.
    pub(super) fn name(&self) -> String {
        match self {
            Self::Fixed(endpoint) => endpoint.to_string(),
            Self::Sentinels { master, .. } => master.clone(),
        }
    }

    /// Where the server is at the moment.
    pub(in crate::shared) async fn locate(
        &self,
        manners: &Manners,
    ) -> Result<Endpoint, EngineError> {
        let (sentinels, master) = match self {
            Self::Fixed(endpoint) => return Ok(endpoint.clone()),
            Self::Sentinels { sentinels, master } => (sentinels, master),
        };
        let mut failure = EngineError::UnknownMaster(master.clone());
        for sentinel in sentinels {
            match ask(sentinel, master, manners).await {
                Ok(Some(endpoint)) => return Ok(endpoint),
                Ok(None) => {}
                Err(error) => failure = error,
            }
        }
        Err(failure)
    }

    /// Whether what is found there has to be checked, and looked up again now and then.
    pub(in crate::shared) fn may_move(&self) -> bool {
        matches!(self, Self::Sentinels { .. })
    }
}

/// Checks that a server takes changes, and is no copy of another.
pub(in crate::shared) async fn check_role(
    link: &mut Link,
    endpoint: &Endpoint,
) -> Result<(), EngineError> {
    let role = link.ask(&cmd("ROLE"), ANSWER).await?;
    let role = match &role {
        Value::Array(role) => role.first(),
        _ => None,
    };
    match role.and_then(text) {
        Some(role) if role == "master" => Ok(()),
        Some(_) => Err(EngineError::NotMaster(endpoint.clone())),
        None => Err(EngineError::Form),
    }
}

/// Asks one sentinel.
async fn ask(
    sentinel: &Endpoint,
    master: &str,
    manners: &Manners,
) -> Result<Option<Endpoint>, EngineError> {
    let mut link = manners.connect_sentinel(sentinel).await?;
    let mut question = cmd("SENTINEL");
    question.arg("GET-MASTER-ADDR-BY-NAME").arg(master);
    match link.ask(&question, ANSWER).await? {
        Value::Nil => Ok(None),
        Value::Array(found) => match &found[..] {
            [host, port] => endpoint(host, port).map(Some).ok_or(EngineError::Form),
            _ => Err(EngineError::Form),
        },
        _ => Err(EngineError::Form),
    }
}

/// A host and a port of an answer.
pub(super) fn endpoint(host: &Value, port: &Value) -> Option<Endpoint> {
    let port = match port {
        Value::Int(port) => u16::try_from(*port).ok()?,
        port => text(port)?.parse().ok()?,
    };
    let host = text(host).filter(|host| !host.is_empty())?;
    Some(Endpoint { host, port })
}

pub(super) fn text(value: &Value) -> Option<String> {
    match value {
        Value::BulkString(bytes) => String::from_utf8(bytes.clone()).ok(),
        Value::SimpleString(text) => Some(text.clone()),
        _ => None,
    }
}

impl Link {
    /// Sends one command, before the connection is used for anything else.
    pub(in crate::shared) async fn ask(
        &mut self,
        command: &redis::Cmd,
        limit: Duration,
    ) -> Result<Value, EngineError> {
        let answer = command.query_async(&mut self.connection);
        let answer = timeout(limit, async {
            tokio::select! {
                biased;
                answer = answer => answer.map_err(EngineError::from),
                () = &mut self.driver => Err(EngineError::Lost),
            }
        });
        answer.await.map_err(|_late| EngineError::Late)?
    }
}
