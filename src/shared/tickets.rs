//! Tickets that are good at every gate.

use std::time::Duration;

use redis::{Cmd, Pipeline, Value, cmd};

use super::counts::Operation;
use super::engine::{Engine, Slot};
use super::exchange::NoAnswer;
use super::limits::WAIT;

/// What a handshake with a ticket may ask in all: its address and its user may be limited, too.
const MOST_QUESTIONS: u32 = 3;

/// A request for a ticket waits so long.
const KEEP: Duration = Duration::from_millis(250);

/// Keeps what a ticket stands for, under the ticket's digest, until its time is over.
///
/// # Errors
/// [`NoAnswer`] where the engine does not say that it has it.
pub(super) async fn keep(
    engine: &Engine,
    digest: &str,
    ticket: &[u8],
    lifetime: Duration,
) -> Result<(), NoAnswer> {
    let mut set = cmd("SET");
    let lifetime = u64::try_from(lifetime.as_millis()).unwrap_or(u64::MAX);
    set.arg(key(engine, digest))
        .arg(ticket)
        .arg("PX")
        .arg(lifetime.max(1));
    match ask(engine, digest, set, KEEP).await? {
        Value::Okay => Ok(()),
        _ => Err(NoAnswer::Late),
    }
}

/// Takes what is kept under a digest, which is gone then: only one of many that try at once gets it.
///
/// # Errors
/// [`NoAnswer`] where the engine does not answer in time. The ticket may be gone nevertheless.
pub(super) async fn take(engine: &Engine, digest: &str) -> Result<Option<Vec<u8>>, NoAnswer> {
    let mut take = cmd("GETDEL");
    take.arg(key(engine, digest));
    match ask(engine, digest, take, WAIT / MOST_QUESTIONS).await? {
        Value::BulkString(ticket) => Ok(Some(ticket)),
        Value::Nil => Ok(None),
        _ => Err(NoAnswer::Late),
    }
}

fn key(engine: &Engine, digest: &str) -> String {
    format!("{}:t:{{{digest}}}", engine.prefix())
}

async fn ask(
    engine: &Engine,
    digest: &str,
    command: Cmd,
    limit: Duration,
) -> Result<Value, NoAnswer> {
    let mut commands = Pipeline::new();
    commands.ignore_errors().add_command(command);
    let slot = Slot::of_tag(digest.as_bytes());
    let sent = engine.send(Operation::Ticket, slot, &mut commands, limit);
    let answer = sent.await.map(|answers| answers.into_iter().next());
    match answer {
        Ok(Some(Ok(answer))) => Ok(answer),
        Ok(_) | Err(_) => Err(NoAnswer::Late),
    }
}
