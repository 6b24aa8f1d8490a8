//! What a case has accounted for, and whether the log and the counts tell just that.

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::Value;
use tokio::time::timeout;

use super::served::{Counts, grown};
use super::{CANARY, Side, Stage};

/// What a case makes the gate tell and count.
#[derive(Default)]
pub(super) struct Account {
    /// Lines of the log, by their reason.
    told: Counts,
    /// Counted handshakes and sessions likewise.
    counted: Counts,
    closed: Counts,
    /// Statuses of what was refused, by the reason.
    pub(super) statuses: BTreeMap<String, u16>,
    /// Sessions whose ends the log tells with a reason, who it was, and a code.
    told_ends: Ends,
    /// What had been counted before the case.
    pub(super) at_first: (Counts, Counts),
    pub(super) forwarded_at_first: Counts,
}

/// How long a line may take from what it tells of to whoever reads the log.
const UNTIL_TOLD: Duration = Duration::from_secs(20);

/// Reason, who it was, and code, and how many of them.
type Ends = BTreeMap<[String; 3], u64>;

/// A value as text, whether the log has it as a number or not.
fn plain(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Null => String::new(),
        other => other.to_string(),
    }
}

impl Stage {
    /// Accounts for a handshake that was answered 101.
    pub(crate) fn was_accepted(&mut self) {
        *self.account.told.entry("accepted".to_owned()).or_default() += 1;
        *self
            .account
            .counted
            .entry("accepted".to_owned())
            .or_default() += 1;
    }

    /// Accounts for a session that ends for this reason; every session has to be.
    pub(crate) fn ends(&mut self, reason: &str) {
        *self.account.told.entry(reason.to_owned()).or_default() += 1;
        *self.account.closed.entry(reason.to_owned()).or_default() += 1;
    }

    /// Waits until the log has every end for this reason that is accounted for.
    pub(crate) async fn told_every_end(&self, reason: &str) {
        let expected = self.account.closed[reason];
        let told = || {
            let lines = self.served.lines().into_iter();
            let ends = lines.filter(|line| line["message"] == "session closed");
            let ends = ends.filter(|line| line["route"] != "echo" && line["reason"] == *reason);
            ends.count() as u64 >= expected
        };
        self.served.until("the ends to be logged", told).await;
    }

    /// The same, where the log says who it was, and what code the client was told.
    pub(crate) fn ends_by(&mut self, reason: &str, from: Side, code: impl Into<Option<u16>>) {
        self.ends(reason);
        let code = code.into().map(|code| code.to_string());
        let by = match from {
            Side::Client => "client",
            Side::Upstream => "upstream",
        };
        let end = [reason.to_owned(), by.to_owned(), code.unwrap_or_default()];
        *self.account.told_ends.entry(end).or_default() += 1;
    }

    /// Accounts for a handshake that is refused for this reason.
    pub(crate) fn refuses(&mut self, reason: &str) {
        *self.account.told.entry(reason.to_owned()).or_default() += 1;
        *self.account.counted.entry(reason.to_owned()).or_default() += 1;
    }

    /// Accounts for a handshake of a flood that is refused for this reason, for which there may
    /// be a line or not: see [`Stage::accounts_for_a_flood`].
    pub(crate) fn counts(&mut self, reason: &str) {
        *self.account.counted.entry(reason.to_owned()).or_default() += 1;
    }

    /// Checks that the log has so many refused handshakes, each in a line of its own or in a count of
    /// those that were left out, and returns how many lines there are.
    ///
    /// A gate logs that count every few seconds, if there is one.
    pub(crate) async fn accounts_for_a_flood(&mut self, refused: u64) -> u64 {
        let program = self.program();
        let logged = || {
            let mut lines = program.events("handshake rejected");
            lines.extend(program.events("request rejected"));
            let rest = program.events("more requests rejected than are logged");
            (lines, rest)
        };
        let is_complete = || {
            let (lines, rest) = logged();
            let left_out = rest.iter().filter_map(|event| event["left_out"].as_u64());
            lines.len() as u64 + left_out.sum::<u64>() >= refused
        };
        program.until("the count of a flood", is_complete).await;
        let (lines, rest) = logged();
        for event in lines.iter().chain(&rest) {
            self.tells(event["reason"].as_str().expect("a reason"));
        }
        lines.len() as u64
    }

    /// Accounts for a line of the log that tells something else: its reason or, if it has none,
    /// its message.
    pub(crate) fn tells(&mut self, word: &str) {
        *self.account.told.entry(word.to_owned()).or_default() += 1;
    }

    /// The lines of the log that are the case's, whose words these are.
    fn told(&self) -> (Vec<String>, Counts) {
        let lines = self.served.lines().split_off(self.lines);
        let mut told = Counts::new();
        let mut texts = Vec::new();
        for line in &lines {
            let text = line.to_string();
            assert!(!text.contains(CANARY), "a secret is told: {text}");
            // Those are held against the counts alone.
            if line["route"] == "echo" || line["message"] == "request forwarded" {
                continue;
            }
            if ["handshake rejected", "request rejected"]
                .contains(&line["message"].as_str().unwrap())
                && !line["status"].is_null()
                && let Some(reason) = line["reason"].as_str()
                && let Some(status) = self.account.statuses.get(reason)
            {
                assert_eq!(plain(&line["status"]), status.to_string(), "{line}");
            }
            let word = line["reason"].as_str().or_else(|| line["message"].as_str());
            *told.entry(word.expect("a word").to_owned()).or_default() += 1;
            texts.push(text);
        }
        (texts, told)
    }

    /// Checks that the log has told each thing once, and no secret. Of a program that has ended
    /// there is nothing else to check.
    pub(crate) async fn tells_once(&self) {
        // A line is written when what it tells of is over, and read in its own time.
        let wanted: u64 = self.account.told.values().sum();
        let is_told = || self.told().1.values().sum::<u64>() >= wanted;
        let all = self.served.until("the log", is_told);
        let _in_vain = timeout(UNTIL_TOLD, all).await;
        let (lines, told) = self.told();
        assert_eq!(told, self.account.told, "{}", lines.join("\n"));
        let mut ends = Ends::new();
        for line in self.served.lines().split_off(self.lines) {
            let end = ["reason", "closed_by", "code"].map(|name| plain(&line[name]));
            if self.account.told_ends.contains_key(&end) {
                *ends.entry(end).or_default() += 1;
            }
        }
        for (end, count) in &self.account.told_ends {
            assert!(
                ends.get(end) >= Some(count),
                "{end:?} in {}",
                lines.join("\n")
            );
        }
    }

    pub(super) async fn tells_and_counts_once(&self) {
        self.tells_once().await;
        self.tells_what_it_forwards().await;
        let lines = self.told().0.join("\n");
        let (handshakes, closed) = self.served.counts("echo").await;
        assert_eq!(
            grown(&handshakes, &self.account.at_first.0),
            self.account.counted,
            "{lines}"
        );
        assert_eq!(
            grown(&closed, &self.account.at_first.1),
            self.account.closed,
            "{lines}"
        );
    }

    /// Checks that the log has a line for each plain request that was forwarded, and for no other.
    async fn tells_what_it_forwards(&self) {
        let counted = self.served.forwarded("echo").await;
        let counted = grown(&counted, &self.account.forwarded_at_first);
        let told = || {
            let mut told = Counts::new();
            for line in self.served.lines().split_off(self.lines) {
                if line["message"] == "request forwarded" && line["route"] != "echo" {
                    let reason = line["reason"].as_str().expect("a reason");
                    *told.entry(reason.to_owned()).or_default() += 1;
                }
            }
            told
        };
        let is_told = || told().values().sum::<u64>() >= counted.values().sum();
        let all = self.served.until("the forwarded requests", is_told);
        let _in_vain = timeout(UNTIL_TOLD, all).await;
        assert_eq!(told(), counted);
    }
}
