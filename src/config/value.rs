//! What is wrong with one value.

/// A value that is not of its form. The message says what is wrong and what would be right,
/// without naming the key: whoever read the value knows where it stands.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct ValueError(pub(crate) String);
