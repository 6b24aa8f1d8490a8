//! How many sessions each gate has in a channel, as the engine knows it.
//!
//! Each gate writes its own count beside those of the others, with the time until it counts: a gate that is gone counts no
//! more after that. The time is the engine's, so that the clocks of the machines need not agree.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use redis::{Pipeline, Value};
use tokio::time::Instant;

use crate::config::ChannelName;
use crate::shared::exchange::Elsewhere;
use crate::types::NodeId;

/// What this gate has written.
#[derive(Debug)]
pub(super) struct Presence {
    written: Mutex<HashMap<ChannelName, Written>>,
    began: Instant,
    /// The engine's time when `began` was, in seconds; 0 if it is not known.
    engine_time: AtomicU64,
}

#[derive(Debug)]
struct Written {
    members: usize,
    at: Instant,
}

/// A change of a count.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Change {
    pub(super) channel: ChannelName,
    pub(super) members: usize,
}

/// A count is valid for so long.
const VALID: Duration = Duration::from_secs(60);

/// A count that has not changed is written again after this.
const RENEWED: Duration = Duration::from_secs(20);

impl Presence {
    pub(super) fn new() -> Self {
        Self {
            written: Mutex::default(),
            began: Instant::now(),
            engine_time: AtomicU64::new(0),
        }
    }

    /// Notes the engine's time of this moment, in seconds.
    pub(super) fn set_engine_time(&self, seconds: u64) {
        let began = seconds.saturating_sub(self.began.elapsed().as_secs());
        self.engine_time.store(began, Ordering::Relaxed);
    }

    fn engine_time(&self) -> Option<u64> {
        let began = self.engine_time.load(Ordering::Relaxed);
        (began > 0).then(|| began + self.began.elapsed().as_secs())
    }

    /// What has to be written of these counts, and is taken as written.
    pub(super) fn changes(&self, counts: Vec<(ChannelName, usize)>, now: Instant) -> Vec<Change> {
        let mut written = self.written.lock().unwrap_or_else(PoisonError::into_inner);
        let mut changes = Vec::new();
        let mut kept = HashMap::with_capacity(counts.len());
        for (channel, members) in counts {
            let before = written.remove(&channel);
            let before = before.filter(|before| {
                before.members == members && now.saturating_duration_since(before.at) < RENEWED
            });
            if before.is_none() {
                changes.push(Change {
                    channel: channel.clone(),
                    members,
                });
            }
            kept.insert(channel, before.unwrap_or(Written { members, at: now }));
        }
        let gone = written.drain().map(|(channel, _)| Change {
            channel,
            members: 0,
        });
        changes.extend(gone);
        *written = kept;
        changes
    }

    /// Nothing of it is known to be written.
    pub(super) fn forget(&self) {
        let mut written = self.written.lock().unwrap_or_else(PoisonError::into_inner);
        written.clear();
    }

    /// Adds the commands that write a change.
    pub(super) fn write(&self, commands: &mut Pipeline, key: &str, node: NodeId, members: usize) {
        let node = node.to_string();
        let until = self.engine_time().map(|time| time + VALID.as_secs());
        match until.filter(|_| members > 0) {
            Some(until) => {
                commands
                    .hset(key, node, format!("{members} {until}"))
                    .ignore();
                commands.expire(key, 2 * VALID.as_secs() as i64).ignore();
            }
            None => {
                commands.hdel(key, node).ignore();
            }
        }
    }

    /// What other gates have, by the answer to `HGETALL`.
    pub(super) fn read(&self, answer: &Value, node: NodeId) -> Elsewhere {
        let mut elsewhere = Elsewhere::default();
        let Some(time) = self.engine_time() else {
            return elsewhere;
        };
        let own = node.to_string();
        for (gate, count) in pairs(answer) {
            let Some((members, until)) = count.split_once(' ') else {
                continue;
            };
            let (Ok(members), Ok(until)) = (members.parse::<usize>(), until.parse::<u64>()) else {
                continue;
            };
            if gate != own && until > time {
                elsewhere.gates += 1;
                elsewhere.sessions = elsewhere.sessions.saturating_add(members);
            }
        }
        elsewhere
    }
}

/// The pairs of texts of an answer.
fn pairs(answer: &Value) -> Vec<(String, String)> {
    redis::from_redis_value_ref(answer).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name(name: &str) -> ChannelName {
        name.parse().unwrap()
    }

    fn changed(presence: &Presence, counts: &[(&str, usize)], now: Instant) -> String {
        let counts = counts
            .iter()
            .map(|(channel, members)| (name(channel), *members));
        let mut changes: Vec<_> = presence
            .changes(counts.collect(), now)
            .iter()
            .map(|change| format!("{}={}", change.channel, change.members))
            .collect();
        changes.sort();
        changes.join(" ")
    }

    #[test]
    fn a_count_is_written_where_it_changes_and_now_and_then() {
        let (presence, now) = (Presence::new(), Instant::now());
        assert_eq!(changed(&presence, &[("a", 1), ("b", 2)], now), "a=1 b=2");
        assert_eq!(changed(&presence, &[("a", 1), ("b", 3)], now), "b=3");
        let later = now + RENEWED;
        assert_eq!(changed(&presence, &[("a", 1)], later), "a=1 b=0");
        assert_eq!(changed(&presence, &[("a", 1)], later), "");
        presence.forget();
        assert_eq!(changed(&presence, &[("a", 1)], later), "a=1");
    }

    #[tokio::test(start_paused = true)]
    async fn counts_of_gates_that_are_gone_do_not_count() {
        let presence = Presence::new();
        let text = |text: &str| Value::BulkString(text.into());
        let own: NodeId = "000000000001".parse().unwrap();
        let answer = Value::Map(vec![
            (text("000000000001"), text("9 2000")),
            (text("000000000002"), text("3 1011")),
            (text("000000000003"), text("4 1010")),
            (text("000000000004"), text("what")),
            (text("000000000005"), text(&format!("{} 1010", usize::MAX))),
        ]);
        assert_eq!(presence.read(&answer, own), Elsewhere::default());
        presence.set_engine_time(1000);
        let all = Elsewhere {
            gates: 3,
            sessions: usize::MAX,
        };
        assert_eq!(presence.read(&answer, own), all);
        tokio::time::advance(Duration::from_secs(10)).await;
        let one = Elsewhere {
            gates: 1,
            sessions: 3,
        };
        assert_eq!(presence.read(&answer, own), one);
    }
}
