//! `Via`: which proxies a request has passed (RFC 9110 §7.6.3), and whether this gate is one of them.

use http::{HeaderMap, HeaderValue, Version, header};

use crate::rejection::Rejection;

/// What a gate calls itself in `Via`.
///
/// Two gates in a row are no loop, so that each has a name of its own: random, and none of its host's.
#[derive(Debug)]
pub(crate) struct Pseudonym(String);

impl Pseudonym {
    /// A name that no other gate has, now or after a restart.
    pub(crate) fn random() -> Self {
        // 48 bits: chance gives two gates of a chain the same name once in 2^48.
        let random = rand::random::<u64>() >> 16;
        Self(format!("wsgate-{random:012x}"))
    }

    /// Whether a request with these lines of `Via` has passed this gate before.
    pub(crate) fn is_among(&self, via: &[&HeaderValue]) -> bool {
        let mut entries = via.iter().flat_map(|line| line.as_bytes().split(is_comma));
        entries.any(|entry| {
            let mut words = entry.split(is_space).filter(|word| !word.is_empty());
            // The protocol, and who received the request by it.
            let received_by = words.nth(1).unwrap_or_default();
            received_by.eq_ignore_ascii_case(self.0.as_bytes())
        })
    }

    /// Adds this gate to the proxies in the headers of a request that came in this version.
    ///
    /// # Errors
    /// [`Rejection::Header`] if that makes no value of a header.
    pub(crate) fn sign(&self, headers: &mut HeaderMap, version: Version) -> Result<(), Rejection> {
        let mut list = Vec::new();
        let received = headers.get_all(header::VIA).into_iter();
        // One line, for servers that look at one only.
        for line in received.filter(|line| !line.is_empty()) {
            list.extend_from_slice(line.as_bytes());
            list.extend_from_slice(b", ");
        }
        list.extend_from_slice(protocol(version).as_bytes());
        list.push(b' ');
        list.extend_from_slice(self.0.as_bytes());
        let list = HeaderValue::try_from(list).map_err(|_| Rejection::Header)?;
        headers.insert(header::VIA, list);
        Ok(())
    }
}

/// The version as an entry names it; the protocol's own name may be left out for HTTP.
fn protocol(version: Version) -> &'static str {
    match version {
        Version::HTTP_09 => "0.9",
        Version::HTTP_10 => "1.0",
        Version::HTTP_2 => "2",
        Version::HTTP_3 => "3",
        _ => "1.1",
    }
}

fn is_comma(byte: &u8) -> bool {
    *byte == b','
}

fn is_space(byte: &u8) -> bool {
    matches!(byte, b' ' | b'\t')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pseudonym() -> Pseudonym {
        Pseudonym("wsgate-0123456789ab".to_owned())
    }

    fn lines(values: &[&'static str]) -> HeaderMap {
        let line = |value| (header::VIA, HeaderValue::from_static(value));
        values.iter().copied().map(line).collect()
    }

    #[test]
    fn every_gate_has_a_short_name_of_its_own() {
        let (one, other) = (Pseudonym::random().0, Pseudonym::random().0);
        assert_ne!(one, other);
        for name in [one, other] {
            let digits = name.strip_prefix("wsgate-").unwrap();
            assert_eq!(digits.len(), 12, "{name}");
            assert!(digits.bytes().all(|digit| digit.is_ascii_hexdigit()));
        }
    }

    #[test]
    fn a_gate_is_the_last_in_the_list_that_it_sends() {
        for (received, version, sent) in [
            (&[][..], Version::HTTP_11, "1.1 wsgate-0123456789ab"),
            (&[], Version::HTTP_10, "1.0 wsgate-0123456789ab"),
            (&[], Version::HTTP_2, "2 wsgate-0123456789ab"),
            (&[""], Version::HTTP_11, "1.1 wsgate-0123456789ab"),
            (
                &["1.0 fred, 1.1 p.example.net (Squid/6)", "2 edge"],
                Version::HTTP_11,
                "1.0 fred, 1.1 p.example.net (Squid/6), 2 edge, 1.1 wsgate-0123456789ab",
            ),
        ] {
            let mut headers = lines(received);
            pseudonym().sign(&mut headers, version).unwrap();
            let found: Vec<_> = headers.get_all(header::VIA).iter().collect();
            assert_eq!(found, [sent]);
        }
    }

    #[test]
    fn a_gate_knows_itself_and_nobody_else() {
        for (received, expected) in [
            (&["1.1 wsgate-0123456789ab"][..], true),
            (&["HTTP/1.1 wsgate-0123456789AB"], true),
            (&["1.0 fred", "1.1\twsgate-0123456789ab (x), 2 edge"], true),
            (&["1.0 fred,1.1  wsgate-0123456789ab,1.1 p"], true),
            (&[][..], false),
            (&["", ","], false),
            (&["wsgate-0123456789ab"], false),
            (&["1.1 wsgate", "1.1 wsgate-0123456789ac"], false),
            (&["1.1 wsgate-0123456789abc"], false),
            (&["1.1 wsgate-0123456789ab:80"], false),
            (&["1.1 fred wsgate-0123456789ab"], false),
        ] {
            let headers = lines(received);
            let lines: Vec<_> = headers.get_all(header::VIA).iter().collect();
            assert_eq!(pseudonym().is_among(&lines), expected, "{received:?}");
        }
    }
}
