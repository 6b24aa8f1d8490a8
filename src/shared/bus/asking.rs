//! Asks other gates.

use std::sync::atomic::Ordering;
use std::time::Duration;

use redis::{Pipeline, Value};
use tokio::time::{Instant, timeout_at};

use super::Bus;
use super::topic::Topic;
use crate::shared::counts::Operation;
use crate::shared::exchange::{Answer, Answers, Asked, NoAnswer, Question};
use crate::types::NodeId;

/// Gates have so long to answer.
const ANSWER: Duration = Duration::from_millis(500);

/// When this gate has listened for so long, the others that have lost the engine with it listen again, too.
const ALL_LISTEN: Duration = Duration::from_secs(5);

impl Bus {
    /// Asks all other gates.
    pub(in crate::shared) async fn ask_all(&self, question: Question) -> Answers {
        let deadline = Instant::now() + ANSWER;
        let mut waiting = self.pending.begin();
        let asked = self.send_question(Topic::Gates, Some(waiting.number), question);
        let Some(hearing) = asked.await else {
            // Nobody has been asked, as far as is known. That there is nobody is not known either.
            return Answers {
                answers: Vec::new(),
                missing: self.others.load(Ordering::Relaxed).max(1),
            };
        };
        let expected = self.expected(hearing);
        let mut answers = Vec::new();
        while answers.len() < expected {
            match timeout_at(deadline, waiting.answers.recv()).await {
                Ok(Some(answer)) => answers.push(answer),
                Ok(None) | Err(_) => break,
            }
        }
        Answers {
            missing: expected - answers.len(),
            answers,
        }
    }

    /// How many other gates have to answer a question that so many have heard.
    fn expected(&self, hearing: usize) -> usize {
        let listened = self.server_of(&Topic::Gates);
        let listened = listened.and_then(|server| self.wanted.listened(&server));
        // This gate hears its own question too, as long as it listens.
        let others = hearing.saturating_sub(usize::from(listened.is_some()));
        if listened.is_some_and(|listened| listened >= ALL_LISTEN) {
            self.others.store(others, Ordering::Relaxed);
            return others;
        }
        others.max(self.others.fetch_max(others, Ordering::Relaxed))
    }

    /// Asks one gate.
    pub(in crate::shared) async fn ask(
        &self,
        gate: NodeId,
        question: Question,
    ) -> Result<Answer, NoAnswer> {
        let deadline = Instant::now() + ANSWER;
        let mut waiting = self.pending.begin();
        let asked = self.send_question(Topic::Gate(gate), Some(waiting.number), question);
        match asked.await {
            None if self.current.engine().is_some() => return Err(NoAnswer::Late),
            None | Some(0) => return Err(NoAnswer::NoGate),
            Some(_) => {}
        }
        let answer = timeout_at(deadline, waiting.answers.recv()).await;
        match answer.ok().flatten() {
            Some(Answer::NoSession) => Err(NoAnswer::NoGate),
            Some(answer) => Ok(answer),
            None => Err(NoAnswer::Late),
        }
    }

    /// Says something to all other gates, which do not answer.
    pub(in crate::shared) fn tell_all(&self, question: Question) {
        let told = self
            .current
            .engine()
            .and_then(|_| self.written(None, question));
        if let Some(told) = told {
            self.unsent.push((Topic::Gates, told));
        }
    }

    /// Sends a question, and returns how many gates hear it; `None` if that is not known.
    async fn send_question(
        &self,
        topic: Topic,
        number: Option<u64>,
        question: Question,
    ) -> Option<usize> {
        let engine = self.current.engine()?;
        let payload = self.written(number, question)?;
        let mut commands = Pipeline::new();
        let publish = engine.publish_command();
        commands
            .cmd(publish)
            .arg(topic.name(engine.prefix()))
            .arg(payload);
        let slot = topic.slot(engine.prefix());
        let sent = engine
            .send(Operation::Ask, slot, &mut commands, ANSWER)
            .await;
        match sent.ok()?.into_iter().next_back()? {
            Ok(Value::Int(hearing)) => usize::try_from(hearing).ok(),
            Ok(_) | Err(_) => None,
        }
    }

    fn written(&self, number: Option<u64>, question: Question) -> Option<Vec<u8>> {
        let asked = Asked {
            from: self.node.to_string(),
            number,
            question,
        };
        serde_json::to_vec(&asked).ok()
    }
}
