//! Stars what is or may be a secret out of a file before any line of it is shown.
//!
//! The text keeps its length, so that places in it stay where they are.

use std::collections::BTreeSet;
use std::ops::Range;
use std::sync::LazyLock;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use crate::config::credentials;
use crate::config::values::nearest;

/// Stars every literal value that is or may be meant as a secret: under a key that reads like
/// `token`, in `[admin]` under any key but `address`, in `[publish]` under any key that is not known, and in `headers`
/// under any key that changes no header's value, wherever in the file they stand; and all that stands under the keys at `unknown`.
/// In URLs users, passwords and queries are starred: they are refused there, but may have been
/// written.
pub(super) fn by_value(text: &str, document: &DeTable<'_>, unknown: &[Range<usize>]) -> String {
    let mut mask = Mask {
        text: text.to_owned(),
        unknown,
    };
    mask.table(document, Place::Settings);
    mask.text
}

struct Mask<'a> {
    text: String,
    unknown: &'a [Range<usize>],
}

/// Where a value stands, as far as it matters.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Place {
    Settings,
    /// In `[client_ip]`, whose `header` is none.
    ClientIp,
    /// In `acme`, whose keys are names of tables.
    Acme,
    /// In `issuer`, whose keys are names of tables.
    Issuer,
    /// In `[admin]`, or what is meant for it.
    Admin,
    /// In `[publish]`.
    Publish,
    /// In `tokens` of `[publish]`.
    PublishToken,
    /// In `headers`, or what is meant for it.
    Headers,
    /// In `set`, or what is meant for it.
    Set,
    /// Where all that is written may be a secret.
    Secret,
}

impl Place {
    /// Where a value stands whose key this is.
    fn of(self, key: &str) -> Self {
        let is_like = |word: &str| nearest(key, [word]).is_some();
        match (self, key) {
            (Self::Settings, "client_ip") => Self::ClientIp,
            (Self::Settings, "acme") => Self::Acme,
            (Self::Settings, "issuer") => Self::Issuer,
            (Self::Settings, "publish") => Self::Publish,
            (Self::Publish, "tokens") => Self::PublishToken,
            (Self::Publish, "address" | "message_size" | "tls")
            | (Self::PublishToken, "name" | "channels" | "direct" | "tickets") => Self::Settings,
            (Self::Acme | Self::Issuer, _) if !key.contains("token") => Self::Settings,
            (Self::ClientIp, "header") | (Self::Admin, "address") => Self::Settings,
            (Self::Headers, "remove" | "remove_untrusted" | "forwarded") => Self::Settings,
            (Self::Headers | Self::Settings | Self::ClientIp, _) if is_like("set") => Self::Set,
            (Self::Settings | Self::ClientIp, _) if key.contains("token") || is_like("secret") => {
                Self::Secret
            }
            (Self::Settings | Self::ClientIp, _) if is_like("admin") => Self::Admin,
            (Self::Settings | Self::ClientIp, _) if is_like("headers") => Self::Headers,
            (Self::Settings | Self::ClientIp, _) => Self::Settings,
            (
                Self::Acme
                | Self::Issuer
                | Self::Admin
                | Self::Publish
                | Self::PublishToken
                | Self::Headers
                | Self::Set
                | Self::Secret,
                _,
            ) => Self::Secret,
        }
    }

    /// Whether a value that is no table is no secret here.
    fn is_plain(self) -> bool {
        matches!(self, Self::Settings | Self::ClientIp)
    }
}

impl Mask<'_> {
    fn table(&mut self, table: &DeTable<'_>, place: Place) {
        for (key, value) in table {
            let place = match self.unknown.contains(&key.span()) {
                true => Place::Set,
                false => place.of(&key.get_ref().to_ascii_lowercase()),
            };
            self.value(value, place);
        }
    }

    fn value(&mut self, value: &Spanned<DeValue<'_>>, place: Place) {
        match value.get_ref() {
            DeValue::Table(table) => self.table(table, place),
            DeValue::Array(list) => list.iter().for_each(|entry| self.value(entry, place)),
            DeValue::String(string) if place.is_plain() || is_variable(string) => {
                star_credentials(&mut self.text, value.span(), string);
            }
            _ if place.is_plain() => {}
            _ => star(&mut self.text, value.span()),
        }
        let is_inline = |span: Range<usize>| {
            self.text
                .get(span)
                .is_some_and(|text| text.starts_with('{'))
        };
        if let (DeValue::Table(_), Place::Secret) = (value.get_ref(), place)
            && is_inline(value.span())
        {
            // Its keys stand where a secret should.
            star(&mut self.text, value.span());
        }
    }
}

/// Stars every word that is none of the settings' own, for a text that is not TOML: what is a key there
/// and what a value, and where a string ends, is anybody's guess.
pub(super) fn by_word(text: &str) -> String {
    let mut masked = String::with_capacity(text.len());
    for part in text.split_inclusive(|character| !is_of_word(character)) {
        let word = part.trim_end_matches(|character| !is_of_word(character));
        match KNOWN_WORDS.contains(word) {
            true => masked.push_str(word),
            false => masked.extend(word.chars().map(starred)),
        }
        masked.push_str(&part[word.len()..]);
    }
    masked
}

/// Whether the character is none of those that give a text its form.
fn is_of_word(character: char) -> bool {
    !character.is_whitespace() && !"[]{}=,.\"'#".contains(character)
}

/// The names of keys, and the words and defaults that their values may have.
static KNOWN_WORDS: LazyLock<BTreeSet<String>> = LazyLock::new(known_words);

#[cfg(feature = "server")]
fn known_words() -> BTreeSet<String> {
    let mut words = BTreeSet::from(["true", "false"].map(str::to_owned));
    collect(&crate::config::schema(), false, &mut words);
    words
}

/// Without the program no text is shown.
#[cfg(not(feature = "server"))]
fn known_words() -> BTreeSet<String> {
    BTreeSet::new()
}

/// Collects what stands in a schema; `is_value` says that it may stand in a file.
#[cfg(feature = "server")]
fn collect(schema: &serde_json::Value, is_value: bool, words: &mut BTreeSet<String>) {
    use serde_json::Value;
    match schema {
        Value::Object(schema) => {
            for (name, value) in schema {
                if let ("properties", Value::Object(keys)) = (name.as_str(), value) {
                    words.extend(keys.keys().cloned());
                }
                collect(
                    value,
                    matches!(name.as_str(), "enum" | "const" | "default"),
                    words,
                );
            }
        }
        Value::Array(list) => list
            .iter()
            .for_each(|value| collect(value, is_value, words)),
        Value::String(text) if is_value => {
            let parts = text.split(|character| !is_of_word(character));
            words.extend(parts.map(str::to_owned));
        }
        _ => {}
    }
}

/// A whole `${NAME}`, which says nothing.
fn is_variable(text: &str) -> bool {
    let name = text
        .strip_prefix("${")
        .and_then(|rest| rest.strip_suffix('}'));
    let is_of_name = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
    name.is_some_and(|name| name.bytes().all(is_of_name))
}

/// Stars the user and the query of a string that reads like a URL, and all of it where an escape
/// hides them.
fn star_credentials(text: &mut String, range: Range<usize>, string: &str) {
    let Some(part) = text.get(range.clone()) else {
        return;
    };
    let is_quote = |character| matches!(character, '"' | '\'' | '\r' | '\n');
    let start = range.start + part.len() - part.trim_start_matches(is_quote).len();
    let written = part.trim_matches(is_quote);
    let found: Vec<_> = credentials::find(written).collect();
    let is_hidden = found.len() < credentials::find(string).count();
    for found in found {
        star(text, start + found.start..start + found.end);
    }
    if is_hidden {
        star(text, range);
    }
}

/// Replaces every character by a star, so that lines, columns and places stay.
fn star(text: &mut String, range: Range<usize>) {
    if let Some(part) = text.get(range.clone()) {
        let stars: String = part.chars().map(starred).collect();
        text.replace_range(range, &stars);
    }
}

/// A star of as many bytes; the end of a line stays.
fn starred(character: char) -> char {
    match (character, character.len_utf8()) {
        ('\r' | '\n', _) => character,
        (_, 1) => '*',
        (_, 2) => '\u{D7}',
        (_, 3) => '\u{2217}',
        (_, _) => '\u{1F7B0}',
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn masked(text: &str) -> String {
        by_value(text, DeTable::parse(text).unwrap().get_ref(), &[])
    }

    #[test]
    fn a_secret_is_starred_whatever_it_is_called_and_however_it_is_quoted() {
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
            "[route.headers]\nset = { a = \"hunter2\", remove = \"hunter2\" }",
            "headers.set.a = \"\"\"hunter2\n= hunter2\"\"\"",
            "heders = { a = 'hunter2' }",
            "header.a = [\"hunter2\", { forwarded = \"hunter2\" }]",
            "[defaults.headers]\nSet = \"hunter2\"",
            "[publish]\ntokens = [{ name = \"a\", token = \"hunter2\" }]",
            "[[publish.tokens]]\ntoken = \"hunter2\"",
            "[publish]\ntokens = [{ name = \"a\", tokn = \"hunter2\" }]",
            "[publish]\ntokens = [\"hunter2\", [\"hunter2\"]]",
            "[publish]\ntokns = [{ name = \"hunter2\" }]",
            "[publsh]\ntokens = [{ name = \"hunter2\" }]",
            "[publish]\nkey = \"hunter2\"",
            "sets.a = \"hunter2\"",
        ] {
            let starred = masked(text);
            assert!(!starred.contains("hunter"), "{starred}");
            for starred in [&starred, &by_word(text)] {
                assert!(!starred.contains("hunter"), "{starred}");
                assert_eq!(starred.len(), text.len());
                assert_eq!(starred.lines().count(), text.lines().count());
                assert_eq!(starred.chars().count(), text.chars().count());
            }
        }
        let number = "[admin]\ntoken = 51423\nx = [1.5, true, 2051-04-23]\n";
        let stars = "[admin]\ntoken = *****\nx = [***, ****, **********]\n";
        assert_eq!(masked(number), stars);
    }

    #[test]
    fn all_is_starred_under_an_unknown_key() {
        let text = "a = 1\nb = { c = [\"hunter2\", 2] }\n";
        let unknown = std::slice::from_ref(&(6..7));
        let starred = by_value(text, DeTable::parse(text).unwrap().get_ref(), unknown);
        assert_eq!(starred, "a = 1\nb = { c = [*********, *] }\n");
    }

    #[test]
    fn the_credentials_of_a_url_are_starred() {
        for text in [
            "servers = [\"ws://user:hunter2@a\", \"ws://hunter2@b/x\", 'ws://c/?k=hunter2']",
            "servers = \"ws://a:hunter2/@hunter2 \\\"hunter2@b\"",
            "x = { url = \"wss://b?hunter2@a\" }\n# x",
            "servers = [\"user:hunter2@a:1\", '//hunter2@b', \"ws:/hunter2@c\", 'd?k=hunter2']",
            "servers = \"\"\"\nhunter2@a\"\"\"",
            "servers = \"ws://hunter2\\u0040a\"",
            "[shared]\nurl = \"rediss://wsgate:hunter2/hunter2?hunter2@a/0\"",
        ] {
            for starred in [masked(text), by_word(text)] {
                assert!(!starred.contains("hunter"), "{starred}");
                assert_eq!(starred.len(), text.len());
            }
        }
    }

    #[test]
    fn what_is_no_secret_stays_readable() {
        let text = "[admin]\naddress = \"127.0.0.1:1\"\ntoken = \"${TOKEN}\"\n[log]\nlevel = \"info\"\n\
             [upstream.a]\nservers = [\"ws://a:1/b\", \"unix:/a@b:/b\"]\nretries = 2\n\
             [publish]\naddress = \"a\"\ntokens = [{ name = \"b\", token = \"${T}\", channels = [\"a.*\"], direct = true }]\n\
             [shared]\nurl = \"redis://a:1/0\"\n\
             [[route]]\npath = \"/@a/*\"\n[route.headers]\nremove = [\"cookie\"]\nforwarded = \"off\"";
        assert_eq!(masked(text), text);
    }

    #[cfg(feature = "server")]
    #[test]
    fn only_words_of_the_settings_are_left_of_a_text_that_is_not_toml() {
        for (text, left) in [
            ("[admin\ntoken = \"hunter2\"", "[admin\ntoken = \"*******\""),
            ("http = \"refuse", "http = \"refuse"),
            ("balance = least_connections", "balance = least_connections"),
            (
                "headers.set.x-key = hunter2=",
                "headers.set.***** = *******=",
            ),
            ("servers = [ws://a:1/b]", "servers = [**********]"),
            ("format = info # hunter2", "format = info # *******"),
            ("tokns = ö€😀", "***** = \u{D7}\u{2217}\u{1F7B0}"),
        ] {
            assert_eq!(by_word(text), left);
        }
    }
}
