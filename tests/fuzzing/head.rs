//! Reads what the gate has written, by the letter of RFC 9112 and without leniency.

use std::collections::BTreeMap;

/// The head of one message, and what stands behind it.
pub(super) struct Head<'a> {
    pub(super) start: &'a str,
    /// Names are in lower case, and the values in their order.
    fields: BTreeMap<String, Vec<&'a [u8]>>,
    pub(super) rest: &'a [u8],
}

impl<'a> Head<'a> {
    /// Panics at whatever two readers could take for two different things.
    pub(super) fn read(bytes: &'a [u8]) -> Self {
        let (start, mut rest) = line(bytes);
        let start = std::str::from_utf8(start).expect("a start line of text");
        let mut fields = BTreeMap::<String, Vec<&[u8]>>::new();
        loop {
            let (field, behind) = line(rest);
            rest = behind;
            if field.is_empty() {
                break;
            }
            let colon = field.iter().position(|&byte| byte == b':');
            let (name, value) = field.split_at(colon.expect("a field has a colon"));
            let name = std::str::from_utf8(name).expect("a name of text");
            assert!(!name.is_empty() && name.bytes().all(is_tchar), "{name:?}");
            fields
                .entry(name.to_ascii_lowercase())
                .or_default()
                .push(value[1..].trim_ascii());
        }
        Self {
            start,
            fields,
            rest,
        }
    }

    pub(super) fn names(&self) -> impl Iterator<Item = &str> {
        self.fields.keys().map(String::as_str)
    }

    pub(super) fn all(&self, name: &str) -> &[&'a [u8]] {
        self.fields.get(name).map_or(&[], Vec::as_slice)
    }

    /// The value of a field that stands there once, as text; `None` if it does not stand there.
    pub(super) fn one(&self, name: &str) -> Option<&'a str> {
        match self.all(name) {
            [] => None,
            [value] => Some(std::str::from_utf8(value).expect("a value of text")),
            more => panic!("{} lines of {name}", more.len()),
        }
    }

    /// The status of a response.
    pub(super) fn status(&self) -> u16 {
        let mut words = self.start.splitn(3, ' ');
        let version = words.next();
        assert!(
            matches!(version, Some("HTTP/1.1" | "HTTP/1.0")),
            "{:?}",
            self.start
        );
        let status = words.next().expect("a status");
        assert_eq!(status.len(), 3);
        status.parse().expect("a number")
    }
}

/// Whether a client that was told this was told of one refusal, and that it is the last.
///
/// `bodiless` says that the request was a `HEAD`.
pub(super) fn check_refusal(told: &[u8], bodiless: bool) {
    let head = Head::read(told);
    let status = head.status();
    // A redirect is the upstream's own.
    assert!(status >= 300, "{status}");
    let closes = head.all("connection").iter().any(|value| {
        let mut words = value.split(|&byte| byte == b',').map(<[u8]>::trim_ascii);
        words.any(|word| word.eq_ignore_ascii_case(b"close"))
    });
    assert!(closes, "{status} leaves the connection open");
    let length = head.one("content-length").expect("a length");
    let length: usize = length.parse().expect("a number");
    let length = if bodiless { 0 } else { length };
    assert_eq!(head.rest.len(), length, "behind a refusal");
}

/// `token` (RFC 9110 §5.6.2).
pub(super) fn is_tchar(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte)
}

/// The first line, which ends in CRLF and holds no control character but tabs.
fn line(bytes: &[u8]) -> (&[u8], &[u8]) {
    let end = bytes.windows(2).position(|two| two == b"\r\n");
    let (line, rest) = bytes.split_at(end.expect("the head ends"));
    let bad = line
        .iter()
        .find(|&&byte| byte.is_ascii_control() && byte != b'\t');
    assert_eq!(bad, None, "in {:?}", String::from_utf8_lossy(line));
    (line, &rest[2..])
}
