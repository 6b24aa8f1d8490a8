//! Stars the admin token and the credentials of URLs out of a file before any line of it is shown.

use std::ops::Range;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

/// Stars every literal string that is or may be meant as the token: under a key that reads like
/// `token`, and in `[admin]` under any key but `address`, wherever in the file they stand. In URLs
/// users, passwords and queries are starred: they are refused there, but may have been written.
///
/// The text keeps its length, so that places in it stay where they are.
pub(super) fn by_value(text: &str, document: &DeTable<'_>) -> String {
    let mut masked = text.to_owned();
    mask_table(document, false, &mut masked);
    masked
}

fn mask_table(table: &DeTable<'_>, secret: bool, masked: &mut String) {
    for (key, value) in table {
        let key = key.get_ref().to_ascii_lowercase();
        let secret = key == "admin" || key.contains("token") || (secret && key != "address");
        mask_value(value, secret, masked);
    }
}

fn mask_value(value: &Spanned<DeValue<'_>>, secret: bool, masked: &mut String) {
    match value.get_ref() {
        DeValue::String(string) if secret && !is_variable(string) => star(masked, value.span()),
        DeValue::String(_) => star_credentials(masked, value.span()),
        DeValue::Array(array) => {
            (array.iter()).for_each(|entry| mask_value(entry, secret, masked));
        }
        DeValue::Table(table) => mask_table(table, secret, masked),
        _ => {}
    }
}

/// Stars what stands behind every `token =`, and what may be a URL's credentials, for a text that is
/// not TOML.
pub(super) fn by_line(text: &str) -> String {
    let mut masked = text.to_owned();
    let mut start = 0;
    // The quotes that a string over several lines waits for.
    let mut open: Option<&str> = None;
    for line in text.split_inclusive('\n') {
        let end = start + line.len();
        match open {
            Some(quotes) => {
                star(&mut masked, start..end);
                open = open.filter(|_| !line.contains(quotes));
            }
            None => {
                if let Some(value) = token_value(line) {
                    let value = line[value..].trim_start();
                    if !is_variable(value.trim().trim_matches(['"', '\''])) {
                        star(&mut masked, end - value.len()..end);
                    }
                    let opens = |quotes: &&str| value.matches(quotes).count() % 2 == 1;
                    open = ["\"\"\"", "'''"].into_iter().find(opens);
                }
                star_credentials(&mut masked, start..end);
            }
        }
        start = end;
    }
    masked
}

/// Where the value of a key that ends in `token` begins.
fn token_value(line: &str) -> Option<usize> {
    const KEY: &str = "token";
    let lower = line.to_ascii_lowercase();
    let value = |(key, _): (usize, &str)| {
        let behind = line[key + KEY.len()..].trim_start_matches(['"', '\'', ' ', '\t']);
        behind
            .starts_with('=')
            .then(|| line.len() - behind.len() + 1)
    };
    lower.match_indices(KEY).find_map(value)
}

/// A whole `${NAME}`, which says nothing.
fn is_variable(text: &str) -> bool {
    let name = text
        .strip_prefix("${")
        .and_then(|rest| rest.strip_suffix('}'));
    name.is_some_and(|name| !name.contains(['$', '{', '}']))
}

/// Stars what stands between the scheme of a URL and the last `@` behind it, and its query.
fn star_credentials(text: &mut String, range: Range<usize>) {
    let Some(part) = text.get(range.clone()) else {
        return;
    };
    let Some(scheme) = part.find("://") else {
        return;
    };
    let start = scheme + "://".len();
    let end = part.trim_end_matches(['"', '\'', '\r', '\n']).len();
    let url = part.get(start..end).unwrap_or_default();
    let user = url.rfind('@').map(|at| start..start + at);
    let query = url.find('?').map(|at| start + at + 1..end);
    for found in [user, query].into_iter().flatten() {
        star(text, range.start + found.start..range.start + found.end);
    }
}

/// Replaces every character by a star of as many bytes, so that lines, columns and places stay.
fn star(text: &mut String, range: Range<usize>) {
    let Some(part) = text.get(range.clone()) else {
        return;
    };
    let star = |character: char| match (character, character.len_utf8()) {
        ('\r' | '\n', _) => character,
        (_, 1) => '*',
        (_, 2) => '\u{D7}',
        (_, 3) => '\u{2217}',
        (_, _) => '\u{1F7B0}',
    };
    let stars: String = part.chars().map(star).collect();
    text.replace_range(range, &stars);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn masked(text: &str) -> String {
        by_value(text, DeTable::parse(text).unwrap().get_ref())
    }

    #[test]
    fn a_token_is_starred_whatever_it_is_called_and_however_it_is_quoted() {
        for text in [
            "admin = { address = \"a\", token = \"hunter2\" } # x",
            "[admin]\ntoken = 'hunter2'",
            "[admin]\ntokn = \"hunter2\"\naddress = \"a\"",
            "[admin]\ntoken = [\"hunter2\"]",
            "[admin]\ntoken = \"\"\"\nhunter2\nö\"\"\"",
            "admin.token = \"hunter2${X}\"",
            "[[route]]\nadmin = { token = \"hunter2\" }",
            "[admn]\nToken = \"hunter2\"",
            "admin = \"hunter2\"",
            "admin = { token = \"hunter2 ö€😀\", x = 1 }",
        ] {
            let starred = masked(text);
            assert!(!starred.contains("hunter"), "{starred}");
            for starred in [&starred, &by_line(text)] {
                assert_eq!(starred.len(), text.len());
                assert_eq!(starred.lines().count(), text.lines().count());
                assert_eq!(starred.chars().count(), text.chars().count());
            }
        }
    }

    #[test]
    fn the_credentials_of_a_url_are_starred() {
        for text in [
            "servers = [\"ws://user:hunter2@a\", \"ws://hunter2@b/x\", 'ws://c/?k=hunter2']",
            "servers = \"ws://a:hunter2/@hunter2 \\\"hunter2@b\"",
            "x = { url = \"wss://b?hunter2@a\" }\n# x",
        ] {
            for starred in [masked(text), by_line(text)] {
                assert!(!starred.contains("hunter"), "{starred}");
                assert_eq!(starred.len(), text.len());
            }
        }
    }

    #[test]
    fn what_is_no_secret_stays_readable() {
        let text = "[admin]\naddress = \"127.0.0.1:1\"\ntoken = \"${TOKEN}\"\n[log]\nlevel = \"info\"\n\
             [upstream.a]\nservers = [\"ws://a:1/b\", \"unix:/a:/b\"]";
        assert_eq!(masked(text), text);
        assert_eq!(by_line(text), text);
    }

    #[test]
    fn a_token_is_starred_in_a_text_that_is_not_toml() {
        for text in [
            "[admin\ntoken = \"hunter2\"",
            "token = \"hunter2",
            "admin = { \"token\" = 'hunter2' }",
            "admin.Token=hunter2",
            "token = \"\"\"\nhunter2\nhunter2\"\"\"\nx = 1",
            "token = '''\nhunter2",
        ] {
            let starred = by_line(text);
            assert!(!starred.contains("hunter"), "{starred}");
            assert_eq!(starred.len(), text.len());
        }
        assert!(by_line("token = \"\"\"\na\"\"\"\nx = 1").ends_with("x = 1"));
    }
}
