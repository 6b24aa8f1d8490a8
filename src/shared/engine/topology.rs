//! Which server of a cluster has which part of the keys.

use std::sync::Arc;

use redis::Value;

use super::error::{Endpoint, EngineError};
use super::node::Node;
use super::place::endpoint;
use super::slot::{SLOTS, Slot};

/// The servers, and who has which slot.
#[derive(Debug)]
pub(in crate::shared) struct Routes {
    nodes: Vec<Arc<Node>>,
    /// The position of the server of each slot; `None` where one server has all.
    slots: Option<Box<[u16]>>,
}

/// No server has the slot.
const NOBODY: u16 = u16::MAX;

/// A server of a cluster, and its slots, each from and to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Share {
    pub(super) endpoint: Endpoint,
    pub(super) slots: Vec<(Slot, Slot)>,
}

impl Routes {
    /// No server is known.
    pub(super) fn none() -> Self {
        Self {
            nodes: Vec::new(),
            slots: None,
        }
    }

    /// One server has everything.
    pub(super) fn single(node: Arc<Node>) -> Self {
        Self {
            nodes: vec![node],
            slots: None,
        }
    }

    /// Each server with its share.
    pub(super) fn cluster(nodes: Vec<(Arc<Node>, &Share)>) -> Self {
        let mut slots = vec![NOBODY; SLOTS].into_boxed_slice();
        for (position, (_, share)) in nodes.iter().enumerate() {
            let position = u16::try_from(position).unwrap_or(NOBODY);
            for (first, last) in &share.slots {
                if first <= last {
                    slots[first.index()..=last.index()].fill(position);
                }
            }
        }
        Self {
            nodes: nodes.into_iter().map(|(node, _)| node).collect(),
            slots: Some(slots),
        }
    }

    pub(in crate::shared) fn nodes(&self) -> &[Arc<Node>] {
        &self.nodes
    }

    /// The server that has a slot.
    pub(in crate::shared) fn node(&self, slot: Slot) -> Result<&Arc<Node>, EngineError> {
        let position = match &self.slots {
            None => 0,
            Some(slots) => slots[slot.index()].into(),
        };
        self.nodes.get(position).ok_or(EngineError::NoServer)
    }
}

impl Share {
    /// A tag whose keys this server has. The first slots of a share are found among as many numbers as there are slots
    /// for each server, about.
    pub(super) fn own_tag(&self) -> Option<String> {
        let is_own = |slot: Slot| {
            let mut slots = self.slots.iter();
            slots.any(|(first, last)| (*first..=*last).contains(&slot))
        };
        let mut tags = (0..4 * SLOTS).map(|number| number.to_string());
        tags.find(|tag| is_own(Slot::of_tag(tag.as_bytes())))
    }
}

/// Reads the answer to `CLUSTER SLOTS`. A server that does not say where it is, is where it was asked.
pub(super) fn read_slots(answer: &Value, asked: &Endpoint) -> Result<Vec<Share>, EngineError> {
    let Value::Array(ranges) = answer else {
        return Err(EngineError::Form);
    };
    let mut shares: Vec<Share> = Vec::new();
    for range in ranges {
        let (endpoint, slots) = read_range(range, asked).ok_or(EngineError::Form)?;
        match shares.iter_mut().find(|share| share.endpoint == endpoint) {
            Some(share) => share.slots.push(slots),
            None => shares.push(Share {
                endpoint,
                slots: vec![slots],
            }),
        }
    }
    match shares.is_empty() {
        // It has just been made.
        true => Err(EngineError::NoServer),
        false => Ok(shares),
    }
}

/// One range of slots: its first and last, and the server that takes its changes, before the copies of it.
fn read_range(range: &Value, asked: &Endpoint) -> Option<(Endpoint, (Slot, Slot))> {
    let Value::Array(range) = range else {
        return None;
    };
    let [
        Value::Int(first),
        Value::Int(last),
        Value::Array(server),
        ..,
    ] = &range[..]
    else {
        return None;
    };
    let [host, port, ..] = &server[..] else {
        return None;
    };
    let slots = (Slot::from_number(*first)?, Slot::from_number(*last)?);
    let is_here = match host {
        Value::Nil => true,
        Value::BulkString(host) => host.is_empty() || host == b"?",
        _ => false,
    };
    let found = match is_here {
        true => Endpoint {
            host: asked.host.clone(),
            port: match port {
                Value::Int(port) => u16::try_from(*port).ok()?,
                _ => return None,
            },
        },
        false => endpoint(host, port)?,
    };
    Some((found, slots))
}

#[cfg(test)]
mod tests {
    use super::super::place::Place;
    use super::*;

    fn range(first: i64, last: i64, host: &str, port: i64) -> Value {
        let server = vec![
            match host {
                "" => Value::Nil,
                host => Value::BulkString(host.into()),
            },
            Value::Int(port),
            Value::BulkString(b"id".to_vec()),
        ];
        let server = Value::Array(server);
        Value::Array(vec![
            Value::Int(first),
            Value::Int(last),
            server.clone(),
            server,
        ])
    }

    #[test]
    fn the_answer_says_who_has_which_slots() {
        let asked = Endpoint {
            host: "seed".to_owned(),
            port: 1,
        };
        let answer = Value::Array(vec![
            range(0, 5460, "a", 7001),
            range(5461, 10_922, "", 7002),
            range(10_923, 16_000, "c", 7003),
            range(16_001, 16_382, "a", 7001),
        ]);
        let shares = read_slots(&answer, &asked).unwrap();
        let names: Vec<_> = shares
            .iter()
            .map(|share| share.endpoint.to_string())
            .collect();
        assert_eq!(names, ["a:7001", "seed:7002", "c:7003"]);
        let nodes = shares.iter().map(|share| {
            let tag = share.own_tag().unwrap();
            let node = Node::new(Place::Fixed(share.endpoint.clone()), tag);
            (Arc::new(node), share)
        });
        let routes = Routes::cluster(nodes.collect());
        for (slot, name) in [
            (0, "a:7001"),
            (5461, "seed:7002"),
            (10_923, "c:7003"),
            (16_382, "a:7001"),
        ] {
            let slot = Slot::from_number(slot).unwrap();
            assert_eq!(routes.node(slot).unwrap().name(), name);
        }
        let missing = routes.node(Slot::from_number(16_383).unwrap());
        assert!(matches!(missing, Err(EngineError::NoServer)));
        for share in &shares {
            let slot = Slot::of_tag(share.own_tag().unwrap().as_bytes());
            assert_eq!(
                routes.node(slot).unwrap().name(),
                share.endpoint.to_string()
            );
        }
    }

    #[test]
    fn anything_else_is_no_answer() {
        let asked = Endpoint {
            host: "seed".to_owned(),
            port: 1,
        };
        for wrong in [
            Value::Okay,
            Value::Array(vec![]),
            Value::Array(vec![Value::Int(1)]),
            Value::Array(vec![range(0, 16_384, "a", 1)]),
            Value::Array(vec![range(0, 1, "a", 65_536)]),
            Value::Array(vec![range(-1, 1, "", 1)]),
        ] {
            assert!(read_slots(&wrong, &asked).is_err(), "{wrong:?}");
        }
    }
}
