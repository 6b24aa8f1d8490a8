//! What the messages of the engine are about.

use crate::config::ChannelName;
use crate::shared::engine::Slot;
use crate::types::NodeId;

/// A channel of the engine: where messages of one kind go. What is between braces decides the server of a cluster.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) enum Topic {
    /// Publications of a channel.
    Channel(ChannelName),
    /// Questions to all gates.
    Gates,
    /// Questions to one gate, and answers to its own.
    Gate(NodeId),
}

impl Topic {
    pub(super) fn name(&self, prefix: &str) -> String {
        match self {
            Self::Channel(name) => format!("{prefix}:c:{{{name}}}"),
            Self::Gates => format!("{prefix}:gates"),
            Self::Gate(node) => format!("{prefix}:gate:{{{node}}}"),
        }
    }

    pub(super) fn slot(&self, prefix: &str) -> Slot {
        match self {
            Self::Channel(name) => Slot::of_tag(name.as_bytes()),
            Self::Gates => Slot::of_tag(self.name(prefix).as_bytes()),
            Self::Gate(node) => Slot::of_tag(node.to_string().as_bytes()),
        }
    }

    /// Reads a name that [`Topic::name`] has written.
    pub(super) fn read(name: &[u8], prefix: &str) -> Option<Self> {
        let name = std::str::from_utf8(name).ok()?;
        let name = name.strip_prefix(prefix)?.strip_prefix(':')?;
        let in_braces = |name: &str| Some(name.strip_prefix('{')?.strip_suffix('}')?.to_owned());
        if name == "gates" {
            return Some(Self::Gates);
        }
        let (kind, rest) = name.split_once(':')?;
        match kind {
            "c" => Some(Self::Channel(in_braces(rest)?.parse().ok()?)),
            "gate" => Some(Self::Gate(in_braces(rest)?.parse().ok()?)),
            _ => None,
        }
    }
}

/// The key of what a channel retains.
pub(super) fn retained_key(prefix: &str, channel: &ChannelName) -> String {
    format!("{prefix}:r:{{{channel}}}")
}

/// The key of how many sessions each gate has in a channel.
pub(super) fn presence_key(prefix: &str, channel: &ChannelName) -> String {
    format!("{prefix}:p:{{{channel}}}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_read_as_it_is_written() {
        let node: NodeId = "0123456789ab".parse().unwrap();
        for topic in [
            Topic::Channel("room.a=2Eb".parse().unwrap()),
            Topic::Gates,
            Topic::Gate(node),
        ] {
            let name = topic.name("my:gate");
            assert_eq!(Topic::read(name.as_bytes(), "my:gate"), Some(topic));
        }
        for wrong in [
            "my:gates",
            "x:c:{a}",
            "my:c:a",
            "my:c:{}",
            "my:x:{a}",
            "my:gate:{a}",
        ] {
            let is_read = Topic::read(wrong.as_bytes(), "my").is_some();
            assert_eq!(is_read, wrong == "my:gates", "{wrong}");
        }
    }

    #[test]
    fn all_that_belongs_to_a_channel_is_on_one_server() {
        let name: ChannelName = "room.1".parse().unwrap();
        let tag = |key: &str| key[key.find('{').unwrap() + 1..key.find('}').unwrap()].to_owned();
        assert_eq!(tag(&retained_key("p", &name)), "room.1");
        assert_eq!(tag(&presence_key("p", &name)), "room.1");
        let topic = Topic::Channel(name);
        assert_eq!(tag(&topic.name("p")), "room.1");
        assert_eq!(topic.slot("p"), Slot::of_tag(b"room.1"));
    }
}
