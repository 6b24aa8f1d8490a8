//! A refusal by a policy, with the rule that it follows.

use crate::config::Rule;
use crate::rejection::Rejection;

/// Why a policy refuses a request.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct PolicyRefusal {
    pub(crate) rejection: Rejection,
    /// None of a policy of the embedder's, and none where no rule could have let the request in.
    pub(crate) rule: Option<Rule>,
}

impl PolicyRefusal {
    pub(super) fn by(rule: Rule, rejection: Rejection) -> Self {
        Self {
            rejection,
            rule: Some(rule),
        }
    }
}

impl From<Rejection> for PolicyRefusal {
    fn from(rejection: Rejection) -> Self {
        Self {
            rejection,
            rule: None,
        }
    }
}

impl From<PolicyRefusal> for Rejection {
    fn from(refusal: PolicyRefusal) -> Self {
        refusal.rejection
    }
}
