//! Who is counted, as the engine knows it: a digest, and no name.

use std::net::IpAddr;

use data_encoding::BASE64URL_NOPAD;

use crate::shared::digest::{Digest, digest};
use crate::shared::engine::Slot;

/// An address or a subject on a route: the same on every gate, and no name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Counted {
    kind: Kind,
    digest: Digest,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
enum Kind {
    Address,
    Subject,
}

/// What is counted of somebody.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(in crate::shared) enum Part {
    Handshakes,
    Sessions,
    Messages,
    Bytes,
}

impl Counted {
    /// An address, or the network that counts as one.
    pub(crate) fn address(route: &str, address: IpAddr) -> Self {
        let bytes = match address {
            IpAddr::V4(address) => address.octets().to_vec(),
            IpAddr::V6(address) => address.octets().to_vec(),
        };
        Self::of(Kind::Address, &[route.as_bytes(), &bytes])
    }

    pub(crate) fn subject(route: &str, issuer: Option<&str>, subject: &str) -> Self {
        let issuer = issuer.unwrap_or_default();
        let parts = [route, issuer, subject].map(str::as_bytes);
        Self::of(Kind::Subject, &parts)
    }

    fn of(kind: Kind, parts: &[&[u8]]) -> Self {
        Self {
            kind,
            digest: digest(parts),
        }
    }

    /// What stands between the braces of its keys, so that they are in one slot.
    fn tag(&self) -> String {
        let kind = match self.kind {
            Kind::Address => "a",
            Kind::Subject => "s",
        };
        format!("{kind}.{}", BASE64URL_NOPAD.encode(&self.digest))
    }

    pub(in crate::shared) fn slot(&self) -> Slot {
        Slot::of_tag(self.tag().as_bytes())
    }

    pub(in crate::shared) fn key(&self, prefix: &str, part: Part) -> String {
        let part = match part {
            Part::Handshakes => "h",
            Part::Sessions => "c",
            Part::Messages => "m",
            Part::Bytes => "b",
        };
        format!("{prefix}:{{{}}}:{part}", self.tag())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_tell_everybody_apart_and_name_nobody() {
        let address = |text: &str| text.parse::<IpAddr>().unwrap();
        let all = [
            Counted::address("chat", address("192.0.2.1")),
            Counted::address("chat", address("192.0.2.2")),
            Counted::address("mail", address("192.0.2.1")),
            Counted::subject("chat", None, "alice"),
            Counted::subject("chat", Some("alice"), ""),
            Counted::subject("chat", Some("x"), "alice"),
            Counted::subject("chat", Some("xa"), "lice"),
            Counted::subject("chatx", Some("a"), "lice"),
        ];
        let mut keys: Vec<_> = all
            .iter()
            .map(|who| who.key("wsgate", Part::Sessions))
            .collect();
        assert!(
            keys.iter()
                .all(|key| !key.contains("alice") && !key.contains("192"))
        );
        assert_eq!(keys[0].len(), "wsgate:{a.}:c".len() + 22);
        assert_eq!(all[0].key("x", Part::Bytes), all[0].key("x", Part::Bytes));
        keys.sort();
        keys.dedup();
        assert_eq!(keys.len(), all.len());
    }
}
