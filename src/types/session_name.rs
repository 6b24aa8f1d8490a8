//! Names of sessions: in a process, and among all gates.

use std::fmt;
use std::str::FromStr;
use std::sync::atomic::{AtomicU64, Ordering};

/// Names one session for as long as the process lives; never given twice.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SessionId(u64);

impl SessionId {
    /// The next free id of this process.
    pub(crate) fn next() -> Self {
        Self(NEXT.fetch_add(1, Ordering::Relaxed))
    }

    /// Whether this process has given it to a session, or to a handshake that may become one.
    pub(crate) fn was_given(self) -> bool {
        (1..NEXT.load(Ordering::Relaxed)).contains(&self.0)
    }

    /// The id as a number.
    pub fn get(self) -> u64 {
        self.0
    }
}

impl From<u64> for SessionId {
    fn from(id: u64) -> Self {
        Self(id)
    }
}

impl fmt::Display for SessionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// A gate among several: a random number, made anew for each [`Gate`](crate::Gate).
///
/// As text it is twelve hexadecimal digits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct NodeId(u64);

/// Names a session among all gates: the gate, and the session's number there. A gate that is started again gives no name
/// a second time.
///
/// ```
/// use wsgate::SessionName;
///
/// let name: SessionName = "5f0c36a91be2-42".parse().unwrap();
/// assert_eq!(name.id().get(), 42);
/// assert_eq!(name.to_string(), "5f0c36a91be2-42");
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SessionName {
    node: NodeId,
    id: SessionId,
}

/// A text that names no session.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "the name of a session is twelve digits from 0 to f, a hyphen and a number, such as 5f0c36a91be2-42"
)]
pub struct SessionNameError;

/// The next free id of this process.
static NEXT: AtomicU64 = AtomicU64::new(1);

/// The digits of a gate in a name.
const NODE_DIGITS: usize = 12;

impl NodeId {
    /// The number behind the digits.
    pub(crate) fn number(self) -> u64 {
        self.0
    }

    /// The gate of this number, which has no more digits than a name.
    pub(crate) fn from_number(number: u64) -> Option<Self> {
        (number >> (4 * NODE_DIGITS) == 0).then_some(Self(number))
    }

    pub(crate) fn random() -> Self {
        Self(rand::random::<u64>() >> (64 - 4 * NODE_DIGITS))
    }
}

impl SessionName {
    /// The name of this session of this gate.
    pub fn new(node: NodeId, id: SessionId) -> Self {
        Self { node, id }
    }

    /// Its gate.
    pub fn node(self) -> NodeId {
        self.node
    }

    /// Its number there.
    pub fn id(self) -> SessionId {
        self.id
    }
}

impl fmt::Display for NodeId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:0width$x}", self.0, width = NODE_DIGITS)
    }
}

impl FromStr for NodeId {
    type Err = SessionNameError;

    fn from_str(text: &str) -> Result<Self, SessionNameError> {
        let is_digit = |byte: u8| matches!(byte, b'0'..=b'9' | b'a'..=b'f');
        if text.len() != NODE_DIGITS || !text.bytes().all(is_digit) {
            return Err(SessionNameError);
        }
        let number = u64::from_str_radix(text, 16);
        number.map(Self).map_err(|_not_a_number| SessionNameError)
    }
}

impl fmt::Display for SessionName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.node, self.id)
    }
}

impl FromStr for SessionName {
    type Err = SessionNameError;

    /// Reads the one form that [`SessionName`] is written in.
    fn from_str(text: &str) -> Result<Self, SessionNameError> {
        let (node, id) = text.split_once('-').ok_or(SessionNameError)?;
        let number: u64 = id.parse().map_err(|_not_a_number| SessionNameError)?;
        let name = Self::new(node.parse()?, SessionId(number));
        // No second way to write it: neither a sign nor a zero in front.
        match name.to_string() == text {
            true => Ok(name),
            false => Err(SessionNameError),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_has_one_form() {
        let node: NodeId = "00000000beef".parse().unwrap();
        let name = SessionName::new(node, SessionId(7));
        assert_eq!(name.to_string(), "00000000beef-7");
        assert_eq!(name.to_string().parse(), Ok(name));
        for wrong in [
            "",
            "7",
            "beef-7",
            "00000000BEEF-7",
            "00000000beef-",
            "00000000beef-+7",
            "00000000beef-07",
            "00000000beef--7",
            "00000000beef-7-",
            "+0000000beef-7",
            "00000000beef-18446744073709551616",
        ] {
            assert_eq!(
                wrong.parse::<SessionName>(),
                Err(SessionNameError),
                "{wrong}"
            );
        }
        let random = NodeId::random();
        assert_eq!(random.to_string().parse(), Ok(random));
    }
}
