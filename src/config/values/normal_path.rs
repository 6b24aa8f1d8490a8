//! The normal form of a path: two spellings of one path are one string (RFC 3986 §6.2.2).

use std::borrow::Cow;

/// The path of a request in its normal form, or `None` for one that could mean two things.
///
/// - The digits of an escape are in upper case, and an escape of a character that needs none
///   (`%61`) is undone, once: `%2561` stays (§6.2.2.1, §6.2.2.2, §2.4).
/// - A character that browsers send as it is, though no path has it (`|`), is escaped (§3.3).
/// - Everything else stays: `%3B` and `;`, `%2F` and `/`, `//` and `/`, `A` and `a` are not equivalent.
///
/// Backends disagree on whether dot segments, encoded backslashes and parameters (`..;x`) are resolved
/// before or after a prefix is matched, so none of them has a normal form; neither has overlong UTF-8,
/// a control character, or an escape without its two digits. They disagree on `%2F` as well, which
/// applications need: it is an ordinary character here, behind which no dot segment hides, and a route
/// says whether it may stand there.
pub(crate) fn normal_path(path: &str) -> Option<Cow<'_, str>> {
    let path = match path.bytes().all(|byte| is_pchar(byte) || byte == b'/') {
        // Most paths have no escape, and need no copy.
        true => Cow::Borrowed(path),
        false => strictly_normal(path)?,
    };
    let is_plain = path.starts_with('/') && !has_dot_segment(&path);
    is_plain.then_some(path)
}

/// The same for a part of a path, which may begin anywhere and have dot segments.
pub(super) fn strictly_normal(path: &str) -> Option<Cow<'_, str>> {
    let mut normal = String::with_capacity(path.len());
    let mut before = 0;
    for character in characters(path) {
        let Character { byte, is_escaped } = character?;
        let is_two_things = match is_escaped {
            true => byte == b'\\' || byte.is_ascii_control(),
            false => byte != b'/' && !is_pchar(byte) && !SENT_UNESCAPED.contains(&byte),
        };
        if is_two_things || is_overlong(before, byte) {
            return None;
        }
        push(&mut normal, byte, is_escaped);
        before = byte;
    }
    Some(unless_same(normal, path))
}

/// The same for what an operator writes to be sent: any escape may stand there. `None` if one lacks
/// its digits.
pub(super) fn leniently_normal(path: &str) -> Option<Cow<'_, str>> {
    let mut normal = String::with_capacity(path.len());
    for character in characters(path) {
        let Character { byte, is_escaped } = character?;
        push(&mut normal, byte, is_escaped);
    }
    Some(unless_same(normal, path))
}

/// Whether a path in its normal form has an encoded slash.
pub(crate) fn has_encoded_slash(path: &str) -> bool {
    // Most paths have no escape, and are looked at for that alone.
    path.contains('%') && path.contains(ENCODED_SLASH)
}

/// The path as an upstream reads it that takes the encoded slashes of this one (in its normal form)
/// for separators; `None` if it has none.
pub(crate) fn with_slashes_decoded(path: &str) -> Option<String> {
    has_encoded_slash(path).then(|| path.replace(ENCODED_SLASH, "/"))
}

/// The bytes that a part of a path in its normal form stands for: its escapes are undone, once. `None` if one lacks its
/// digits.
pub(super) fn decoded(part: &str) -> Option<Vec<u8>> {
    characters(part)
        .map(|character| Some(character?.byte))
        .collect()
}

/// The path for somebody to whom `@` and `%40` are the same, and so all that may stand in a path as itself or as an escape: two
/// paths in their normal form that have the same [`decoded`] segments have one such form.
pub(crate) fn with_reserved_decoded(path: &str) -> Cow<'_, str> {
    if !path.contains('%') {
        return Cow::Borrowed(path);
    }
    let mut folded = String::with_capacity(path.len());
    for Character { byte, is_escaped } in characters(path).flatten() {
        push(&mut folded, byte, is_escaped && !is_pchar(byte));
    }
    Cow::Owned(folded)
}

/// Whether a path has a dot segment, for an upstream that takes an encoded slash for a separator too.
pub(crate) fn has_dot_segment(path: &str) -> bool {
    let mut segments = path.split('/');
    if !path.contains('%') {
        return segments.any(is_dot_segment);
    }
    let mut parts = segments.flat_map(|segment| segment.split(ENCODED_SLASH));
    parts.any(|part| part.split("%2f").any(is_dot_segment))
}

/// As the normal form has it.
const ENCODED_SLASH: &str = "%2F";

/// Whether a segment stands still or goes up in any of its spellings: `.`, `..`, `%2E%2e`, and either
/// with parameters behind it (`..;x`), which some servers take off before they resolve it.
fn is_dot_segment(segment: &str) -> bool {
    let (mut rest, mut dots) = (segment.as_bytes(), 0);
    loop {
        match rest {
            [b'.', behind @ ..] | [b'%', b'2', b'E' | b'e', behind @ ..] => {
                dots += 1;
                rest = behind;
            }
            [] | [b';', ..] | [b'%', b'3', b'B' | b'b', ..] => return dots == 1 || dots == 2,
            _ => return false,
        }
    }
}

/// Whether the byte stands for itself in a segment (`pchar` without escapes, §3.3).
pub(super) fn is_pchar(byte: u8) -> bool {
    is_unreserved(byte) || b"!$&'()*+,;=:@".contains(&byte)
}

/// Whether the byte stands for itself everywhere, so that its escape is only another spelling (§2.3).
fn is_unreserved(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"-._~".contains(&byte)
}

/// No path has these (§3.3), but browsers and other clients do not escape them there
/// (<https://url.spec.whatwg.org/#path-percent-encode-set>, and what it was before).
const SENT_UNESCAPED: &[u8] = b"[]^`{|}";

/// A byte of a path, and whether it is written as an escape.
struct Character {
    byte: u8,
    is_escaped: bool,
}

/// The bytes that a path stands for; `None` for an escape without its two digits.
fn characters(path: &str) -> impl Iterator<Item = Option<Character>> {
    let mut bytes = path.bytes();
    std::iter::from_fn(move || {
        let first = bytes.next()?;
        let is_escaped = first == b'%';
        let byte = match is_escaped {
            true => (|| Some(hex(bytes.next()?)? << 4 | hex(bytes.next()?)?))(),
            false => Some(first),
        };
        Some(byte.map(|byte| Character { byte, is_escaped }))
    })
}

fn hex(digit: u8) -> Option<u8> {
    let value = char::from(digit).to_digit(16)?;
    u8::try_from(value).ok()
}

/// Appends a byte as the normal form has it.
fn push(normal: &mut String, byte: u8, is_escaped: bool) {
    let stays = is_unreserved(byte) || !is_escaped && (is_pchar(byte) || byte == b'/');
    if stays {
        normal.push(char::from(byte));
        return;
    }
    normal.push('%');
    for digit in [byte >> 4, byte & 0xF] {
        normal.push(char::from(b"0123456789ABCDEF"[usize::from(digit)]));
    }
}

/// Whether two bytes begin a character that stands there in more bytes than it needs. That is no
/// UTF-8 (RFC 3629 §3), but a lenient decoder makes a dot of `C0 AE` and a slash of `C0 AF` (§10).
fn is_overlong(first: u8, second: u8) -> bool {
    matches!(
        (first, second),
        (0xC0 | 0xC1, 0x80..=0xBF)
            | (0xE0, 0x80..=0x9F)
            | (0xF0, 0x80..=0x8F)
            | (0xF8, 0x80..=0x87)
            | (0xFC, 0x80..=0x83)
    )
}

/// The path itself, if that is its normal form.
fn unless_same(normal: String, path: &str) -> Cow<'_, str> {
    match normal == path {
        true => Cow::Borrowed(path),
        false => Cow::Owned(normal),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case::letter("/ws/%61dmin", "/ws/admin")]
    #[case::every_unreserved("/%41%5a%7A%30%39%2d%2D%2e%5f%7e", "/AZz09--._~")]
    #[case::digits_of_an_escape("/caf%c3%a9", "/caf%C3%A9")]
    #[case::mixed_digits("/%c3%A9%eF", "/%C3%A9%EF")]
    #[case::undone_once("/ws/%2561dmin", "/ws/%2561dmin")]
    #[case::undone_once_before_a_letter("/ws/%25%36%31", "/ws/%2561")]
    #[case::reserved_stay("/a%3bb%3d%40%3a%21", "/a%3Bb%3D%40%3A%21")]
    #[case::space("/a%20b", "/a%20b")]
    #[case::sent_by_browsers("/a|b[1]^`{x}", "/a%7Cb%5B1%5D%5E%60%7Bx%7D")]
    #[case::dots_of_a_name("/%2e%2e%2e/%2ea/a%2E", "/.../.a/a.")]
    #[case::encoded_slash("/ws%2fx/%2F%2f", "/ws%2Fx/%2F%2F")]
    #[case::encoded_slash_and_dots_of_a_name("/a%2f...%2F.a", "/a%2F...%2F.a")]
    fn a_path_has_one_normal_form(#[case] path: &str, #[case] normal: &str) {
        assert_eq!(normal_path(path).as_deref(), Some(normal));
    }

    #[rstest]
    #[case("/")]
    #[case("/ws/a;v=1/b@c:d!$&'()*+,=~_-.")]
    #[case("//ws//a/")]
    #[case("/WS/%C3%A9%20%E9%F0%C0")]
    #[case("/ws/%252e%252e")]
    #[case("/ws/%E0%A0%80%F0%90%80%80")]
    fn a_normal_path_is_not_copied(#[case] path: &str) {
        assert!(matches!(normal_path(path), Some(Cow::Borrowed(same)) if same == path));
    }

    #[rstest]
    #[case::dots("/ws/../x")]
    #[case::dots_once_decoded("/ws/%2e%2E/x")]
    #[case::one_dot_decoded("/ws/.%2e")]
    #[case::parameter_behind_dots("/ws/%2e.%3bx")]
    #[case::dots_behind_an_encoded_slash("/ws%2f../x")]
    #[case::dots_between_encoded_slashes("/ws/a%2F%2e%2E%2fx")]
    #[case::dots_before_an_encoded_slash("/..%2Fx")]
    #[case::dot_at_the_end("/ws/a%2f.")]
    #[case::parameter_behind_dots_and_an_encoded_slash("/ws/a%2f..;x%2fb")]
    #[case::other_separator("/ws%5Cx")]
    #[case::raw_backslash("/ws\\x")]
    #[case::control("/ws/%0a")]
    #[case::overlong("/ws/%c0%ae")]
    #[case::half_an_escape("/ws/%2")]
    #[case::no_hex("/ws/%6g")]
    #[case::sign("/ws/%+1")]
    #[case::raw_utf8("/ws/é")]
    #[case::quote("/ws/\"x\"")]
    #[case::angle("/ws/<x>")]
    #[case::space("/ws/a b")]
    #[case::fragment("/ws/a#b")]
    #[case::query("/ws/a?b")]
    #[case::no_slash("ws")]
    #[case::empty("")]
    fn a_path_that_could_mean_two_things_has_none(#[case] path: &str) {
        assert_eq!(normal_path(path), None);
    }

    #[test]
    fn what_an_operator_writes_keeps_its_separators() {
        let normal = leniently_normal("/p/https%3a%2f%2Fx/%61").unwrap();
        assert_eq!(normal, "/p/https%3A%2F%2Fx/a");
        assert_eq!(leniently_normal("/%6"), None);
    }

    #[rstest]
    #[case("/rooms/%40me%3A1", "/rooms/@me:1")]
    #[case("/rooms/@me:1", "/rooms/@me:1")]
    #[case("/%21%24%26%27%28%29%2A%2B%2C%3B%3D", "/!$&'()*+,;=")]
    #[case::no_second_spelling("/a%2Fb%20c%25%C3%BC%5B", "/a%2Fb%20c%25%C3%BC%5B")]
    #[case::undone_once("/%2540", "/%2540")]
    fn a_character_and_its_escape_have_one_form(#[case] path: &str, #[case] folded: &str) {
        assert_eq!(with_reserved_decoded(path), folded);
    }

    proptest! {
        #[test]
        fn a_normal_form_is_its_own_and_means_the_same(
            path in "(/|[a-z.|;]|%2[fFeE]|%[0-9a-fA-F]{2}){0,12}",
        ) {
            let path = format!("/{path}");
            if let Some(normal) = normal_path(&path) {
                prop_assert_eq!(decoded(&normal), decoded(&path));
                prop_assert_eq!(normal_path(&normal), Some(Cow::Borrowed(&*normal)));
                let slashes = |text: &str| text.matches('/').count();
                prop_assert_eq!(slashes(&normal), slashes(&path));
            }
        }

        #[test]
        fn segments_that_stand_for_the_same_have_one_form(
            one in "([a@:;]|%40|%3[AB]|%25|%2F|%C3|%BC){0,6}",
            other in "([a@:;]|%40|%3[AB]|%25|%2F|%C3|%BC){0,6}",
        ) {
            let is_same = with_reserved_decoded(&one) == with_reserved_decoded(&other);
            prop_assert_eq!(is_same, decoded(&one) == decoded(&other));
        }

        #[test]
        fn no_normal_path_leaves_its_prefix(path in "(/|\\.|%2e|%2f|;|a|%5C|\\\\){0,12}") {
            let path = format!("/ws/{path}");
            if normal_path(&path).is_some() {
                let decoded = path.to_lowercase().replace("%2e", ".").replace("%2f", "/");
                let decoded = decoded.replace("%5c", "/").replace('\\', "/");
                let mut names = decoded.split('/').map(|segment| segment.split(';').next());
                prop_assert!(!names.any(|name| matches!(name, Some("." | ".."))), "{}", path);
            }
        }
    }
}
