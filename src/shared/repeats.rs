//! Keys of publications, which every gate knows: a publisher may repeat a request to another gate than the first.

use std::sync::Arc;
use std::time::Duration;

use data_encoding::BASE64URL_NOPAD;
use redis::{Cmd, Pipeline, Value, cmd};
use tokio::time::{Instant, sleep};

use super::counts::Operation;
use super::digest::digest;
use super::engine::{Engine, Pauses, Slot};
use crate::channels::{Publication, Published};

/// What the gates know of a key.
pub(crate) enum SharedRepeat {
    /// Nothing, as far as the engine says: the publication is the first.
    First(SharedClaim),
    /// It has been published, and came to this.
    Known(Published),
}

/// The right to publish under a key, among all gates.
pub(crate) struct SharedClaim {
    engine: Arc<Engine>,
    digest: String,
    /// The engine has it. Without an answer of it, the gate publishes as if there were no other.
    is_sure: bool,
}

/// What the engine says of a key.
#[derive(Debug, PartialEq, Eq)]
enum Answer {
    /// It had not got it, and keeps it for this gate now.
    New,
    /// Another gate publishes under it at the moment.
    UnderWay,
    Known(Published),
    /// Nothing, or nothing in time.
    None,
}

/// A publication waits so long for the engine before it reaches the sessions of this gate.
const CLAIM: Duration = Duration::from_millis(100);

/// The engine has so long to take what a publication has come to.
const SETTLE: Duration = Duration::from_millis(250);

/// A publication takes less. The keys of a gate that is killed in the middle of some are free again after so long.
const LONGEST: Duration = Duration::from_secs(10);

/// What stands for a publication that is under way.
const UNDER_WAY: &str = "-";

/// The pauses between looks at a publication that is under way.
const FIRST_PAUSE: Duration = Duration::from_millis(20);
const LONGEST_PAUSE: Duration = Duration::from_millis(250);

/// Claims a key, or waits for what the publication of another gate comes to: for [`LONGEST`], and then this gate publishes.
pub(super) async fn claim(engine: Arc<Engine>, publisher: &str, key: &str) -> SharedRepeat {
    let digest = digest(&[publisher.as_bytes(), key.as_bytes()]);
    let digest = BASE64URL_NOPAD.encode(&digest);
    let mut pauses = Pauses::new(FIRST_PAUSE, LONGEST_PAUSE);
    let began = Instant::now();
    loop {
        let is_sure = match look(&engine, &digest).await {
            Answer::Known(published) => return SharedRepeat::Known(published),
            Answer::UnderWay if began.elapsed() < LONGEST => {
                sleep(pauses.next(rand::random())).await;
                continue;
            }
            Answer::New => true,
            Answer::UnderWay | Answer::None => false,
        };
        return SharedRepeat::First(SharedClaim {
            engine,
            digest,
            is_sure,
        });
    }
}

impl SharedClaim {
    /// Has all gates know what the publication has come to. Where it was not made, the next with its key is the first.
    pub(crate) async fn end(self, published: Option<&Published>) {
        let command = match published {
            Some(published) => set(
                &self.engine,
                &self.digest,
                &written(published),
                Publication::KEY_LIFETIME,
            ),
            None if self.is_sure => {
                let mut delete = cmd("DEL");
                delete.arg(name(&self.engine, &self.digest));
                delete
            }
            // It may be another gate's.
            None => return,
        };
        let mut commands = Pipeline::new();
        commands.add_command(command);
        let slot = Slot::of_tag(self.digest.as_bytes());
        let sent = self
            .engine
            .send(Operation::Key, slot, &mut commands, SETTLE);
        // Without an answer, it is as if the engine were away: each gate knows its own keys.
        let _counted = sent.await;
    }
}

/// Keeps the key for this gate, unless there is one.
async fn look(engine: &Engine, digest: &str) -> Answer {
    let mut keep = set(engine, digest, UNDER_WAY, LONGEST);
    keep.arg("NX");
    let mut commands = Pipeline::new();
    commands.add_command(keep);
    commands.cmd("GET").arg(name(engine, digest));
    let slot = Slot::of_tag(digest.as_bytes());
    let sent = engine
        .send(Operation::Key, slot, &mut commands, CLAIM)
        .await;
    let Ok(answers) = sent else {
        return Answer::None;
    };
    match &answers[..] {
        [Ok(Value::Okay), _] => Answer::New,
        [Ok(Value::Nil), Ok(Value::BulkString(text))] => read(text),
        // Its time has ended between the two.
        [Ok(Value::Nil), Ok(Value::Nil)] => Answer::UnderWay,
        _ => Answer::None,
    }
}

fn set(engine: &Engine, digest: &str, value: &str, lifetime: Duration) -> Cmd {
    let mut set = cmd("SET");
    let lifetime = lifetime.as_millis().to_string();
    set.arg(name(engine, digest))
        .arg(value)
        .arg("PX")
        .arg(lifetime);
    set
}

fn name(engine: &Engine, digest: &str) -> String {
    format!("{}:k:{{{digest}}}", engine.prefix())
}

fn written(published: &Published) -> String {
    format!("{} {}", published.reached, published.gates)
}

fn read(text: &[u8]) -> Answer {
    if text == UNDER_WAY.as_bytes() {
        return Answer::UnderWay;
    }
    let numbers = str::from_utf8(text)
        .ok()
        .and_then(|text| text.split_once(' '));
    let published = numbers.and_then(|(reached, gates)| {
        Some(Published {
            reached: reached.parse().ok()?,
            gates: gates.parse().ok()?,
            repeated: false,
        })
    });
    published.map_or(Answer::None, Answer::Known)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read_and_anything_else_is_no_answer() {
        let published = Published {
            reached: 12,
            gates: 2,
            repeated: false,
        };
        assert_eq!(written(&published), "12 2");
        assert_eq!(read(b"12 2"), Answer::Known(published));
        assert_eq!(read(UNDER_WAY.as_bytes()), Answer::UnderWay);
        for wrong in ["", "12", "12 ", " 2", "-1 2", "12 2 3", "12 2x", "\u{fe}"] {
            assert_eq!(read(wrong.as_bytes()), Answer::None, "{wrong}");
        }
        assert_eq!(read(b"\xff 1"), Answer::None);
    }
}
