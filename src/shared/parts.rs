//! Which limits all gates count together.

/// The limits of an address or a subject that count over all gates; by default none.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct SharedParts {
    pub(crate) handshakes: bool,
    pub(crate) connections: bool,
    pub(crate) messages: bool,
    pub(crate) bytes: bool,
}
