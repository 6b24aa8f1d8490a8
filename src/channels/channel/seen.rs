//! What a channel has had of each gate.

use crate::channels::encoded::PublicationId;
use crate::types::NodeId;

/// The highest number that each gate's publications had here: a channel gets those of a gate in the gate's order. It
/// outlasts what is retained, so that nothing comes twice.
#[derive(Debug, Default)]
pub(super) struct Seen(
    /// The gate that was heard last is the last.
    Vec<(NodeId, u64)>,
);

/// So many gates are known; the one that was heard longest ago goes first.
const MOST_GATES: usize = 64;

impl Seen {
    pub(super) fn note(&mut self, id: PublicationId) {
        let known = self.0.iter().rposition(|(node, _)| *node == id.node);
        match known {
            Some(at) => {
                self.0[at..].rotate_left(1);
                if let Some((_, highest)) = self.0.last_mut() {
                    *highest = id.sequence.max(*highest);
                }
            }
            None => {
                if self.0.len() >= MOST_GATES {
                    self.0.remove(0);
                }
                self.0.push((id.node, id.sequence));
            }
        }
    }

    /// Whether this one, or a later one of its gate, has been here.
    pub(super) fn is_past(&self, id: PublicationId) -> bool {
        let mut gates = self.0.iter().rev();
        let known = gates.find(|(node, _)| *node == id.node);
        known.is_some_and(|(_, highest)| *highest >= id.sequence)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(node: u64, sequence: u64) -> PublicationId {
        let node = NodeId::from_number(node).unwrap();
        PublicationId { node, sequence }
    }

    #[test]
    fn each_gate_has_its_own_numbers_and_the_gates_are_bounded() {
        let mut seen = Seen::default();
        assert!(!seen.is_past(id(1, 1)));
        seen.note(id(1, 7));
        seen.note(id(2, 3));
        seen.note(id(1, 6));
        assert!(seen.is_past(id(1, 7)) && !seen.is_past(id(1, 8)));
        assert!(seen.is_past(id(2, 3)) && !seen.is_past(id(2, 4)));
        for node in 3..=MOST_GATES as u64 {
            seen.note(id(node, 1));
        }
        seen.note(id(1, 8));
        seen.note(id(1000, 1));
        assert!(seen.is_past(id(1, 8)) && seen.is_past(id(1000, 1)));
        assert!(!seen.is_past(id(2, 1)), "it was heard longest ago");
    }
}
