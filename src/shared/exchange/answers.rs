//! What comes back from other gates.

use super::question::Answer;

/// What all gates have answered.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Answers {
    pub(crate) answers: Vec<Answer>,
    /// Gates that have not answered in time.
    pub(crate) missing: usize,
}

/// Why one gate has not answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum NoAnswer {
    /// There is no such gate, or it has given no session this name, or there is no engine to ask it through.
    NoGate,
    /// The gate or the engine has not answered in time.
    Late,
}

/// What other gates have in a channel.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Elsewhere {
    pub(crate) gates: usize,
    pub(crate) sessions: usize,
}
