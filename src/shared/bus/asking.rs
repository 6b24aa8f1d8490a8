//! Asks other gates.

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

impl Bus {
    /// Asks all other gates.
    pub(in crate::shared) async fn ask_all(&self, question: Question) -> Answers {
        let deadline = Instant::now() + ANSWER;
        let mut waiting = self.pending.begin();
        let asked = self.send_question(Topic::Gates, Some(waiting.number), question);
        let Some(hearing) = asked.await else {
            return Answers::default();
        };
        // This gate hears its own question too, as long as it listens.
        let expected = hearing.saturating_sub(1);
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
        answer.ok().flatten().ok_or(NoAnswer::Late)
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
