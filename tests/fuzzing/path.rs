//! The path of a request target, by the letter of RFC 3986 and without regard to speed.

/// The path and the query of a target in origin or absolute form.
pub(super) fn split(target: &[u8]) -> (Vec<u8>, Option<&[u8]>) {
    let query = target.iter().position(|&byte| byte == b'?');
    let (hierarchy, query) = match query {
        Some(at) => (&target[..at], Some(&target[at + 1..])),
        None => (target, None),
    };
    let scheme = hierarchy.windows(3).position(|three| three == b"://");
    let path = match scheme.filter(|_| !hierarchy.starts_with(b"/")) {
        Some(at) => {
            let authority = &hierarchy[at + 3..];
            let path = authority.iter().position(|&byte| byte == b'/');
            path.map_or(&b"/"[..], |path| &authority[path..])
        }
        None => hierarchy,
    };
    (path.to_vec(), query)
}

/// The normal form of a path (§6.2.2.1, §6.2.2.2), in which what no path has is escaped; `None` for an
/// escape without its digits, and for bytes that nobody sends unescaped.
pub(super) fn normal(path: &[u8]) -> Option<Vec<u8>> {
    let mut normal = Vec::new();
    let mut rest = path;
    while let [first, behind @ ..] = rest {
        rest = behind;
        match first {
            b'%' => {
                let [high, low, behind @ ..] = rest else {
                    return None;
                };
                rest = behind;
                let digits = [*high, *low].map(|digit| digit.to_ascii_uppercase());
                let text = std::str::from_utf8(&digits).ok()?;
                if !digits.iter().all(u8::is_ascii_hexdigit) {
                    return None;
                }
                match u8::from_str_radix(text, 16).ok()? {
                    byte if is_unreserved(byte) => normal.push(byte),
                    _ => normal.extend([b"%", &digits[..]].concat()),
                }
            }
            byte if is_of_path(*byte) => normal.push(*byte),
            byte if b"[]^`{|}".contains(byte) => normal.extend(format!("%{byte:02X}").bytes()),
            _ => return None,
        }
    }
    Some(normal)
}

/// Whether the byte may stand in a path that is sent (§3.3), `%` included.
pub(super) fn is_of_path(byte: u8) -> bool {
    is_unreserved(byte) || b"!$&'()*+,;=:@/%".contains(&byte)
}

/// Whether the byte may stand in a query that is sent: what browsers leave there does.
pub(super) fn is_of_query(byte: u8) -> bool {
    is_of_path(byte) || b"?[]{}|\\^`".contains(&byte)
}

fn is_unreserved(byte: u8) -> bool {
    matches!(byte, b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~')
}
