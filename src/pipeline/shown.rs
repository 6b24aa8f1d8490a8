//! What clients have written, as events keep it: short and printable.

use http::Method;

/// The most characters of a path or name that an event keeps.
pub(super) const LONGEST: usize = 256;

/// The most characters of a method. The longest that IANA lists has 17.
const LONGEST_METHOD: usize = 32;

/// A path or name as an event keeps it: it is a client's, and events wait in queues. What a target
/// may not hold is escaped as it would have to be there.
pub(super) fn shown(text: &str, longest: usize) -> String {
    let mut shown = String::with_capacity(text.len().min(longest));
    for byte in text.bytes() {
        if shown.len() >= longest {
            shown.push('…');
            break;
        }
        match byte.is_ascii_graphic() {
            true => shown.push(char::from(byte)),
            false => shown.push_str(&format!("%{byte:02X}")),
        }
    }
    shown
}

/// The path of a request.
pub(super) fn shown_path(path: &str) -> String {
    shown(path, LONGEST)
}

/// The method of a request, which may be any word that its client has made up (RFC 9110 §9.1).
pub(super) fn shown_method(method: &Method) -> String {
    shown(method.as_str(), LONGEST_METHOD)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_client_has_written_is_short_and_printable() {
        assert_eq!(shown_path("/ws/%1b|x"), "/ws/%1b|x");
        assert_eq!(shown_path("/\u{9b}m \n"), "/%C2%9Bm%20%0A");
        assert_eq!(shown_path(&"a".repeat(256)), "a".repeat(256));
        assert_eq!(
            shown_path(&"a".repeat(9000)),
            format!("{}…", "a".repeat(256))
        );
        let method = Method::from_bytes(&[b'A'; 9000]).unwrap();
        assert_eq!(shown_method(&method), format!("{}…", "A".repeat(32)));
        assert_eq!(shown_method(&Method::GET), "GET");
    }
}
