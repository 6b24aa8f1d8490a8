//! Questions that wait for their answers.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use tokio::sync::mpsc::{self, Receiver, Sender};

use crate::shared::exchange::Answer;

/// By number.
#[derive(Debug, Default)]
pub(super) struct Pending {
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    last: u64,
    waiting: HashMap<u64, Sender<Answer>>,
}

/// A question that waits. Dropped, it waits no more.
pub(super) struct Waiting<'p> {
    pending: &'p Pending,
    pub(super) number: u64,
    pub(super) answers: Receiver<Answer>,
}

/// The gates whose answers are heard.
const MOST_ANSWERS: usize = 1024;

impl Pending {
    pub(super) fn begin(&self) -> Waiting<'_> {
        let (sender, answers) = mpsc::channel(MOST_ANSWERS);
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.last += 1;
        let number = state.last;
        state.waiting.insert(number, sender);
        Waiting {
            pending: self,
            number,
            answers,
        }
    }

    /// Hands an answer on, if anybody waits for it.
    pub(super) fn answered(&self, number: u64, answer: Answer) {
        let state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(waiting) = state.waiting.get(&number) {
            let _enough = waiting.try_send(answer);
        }
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        let state = self.pending.state.lock();
        let mut state = state.unwrap_or_else(PoisonError::into_inner);
        state.waiting.remove(&self.number);
    }
}
