//! The header's grammar: `1#( token *( ";" token [ "=" ( token / quoted-string ) ] ) )`.

use http::HeaderValue;

use crate::request::list::{is_token_byte, token, trim};

/// One extension with its parameters, in order; quotes are taken off the values.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Extension {
    pub(super) name: String,
    pub(super) parameters: Vec<(String, Option<String>)>,
}

/// The header is not of its grammar.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Malformed;

/// Reads the extensions on all lines of the header. An empty header names none: some gateways add one.
pub(super) fn parse<'a>(
    lines: impl IntoIterator<Item = &'a HeaderValue>,
) -> Result<Vec<Extension>, Malformed> {
    let mut extensions = Vec::new();
    for line in lines {
        parse_line(line.as_bytes(), &mut extensions)?;
    }
    Ok(extensions)
}

fn parse_line(line: &[u8], extensions: &mut Vec<Extension>) -> Result<(), Malformed> {
    let mut cursor = Cursor { rest: trim(line) };
    while !cursor.rest.is_empty() {
        // Empty elements do not count (RFC 9110 §5.6.1.2).
        if cursor.take(b',') {
            continue;
        }
        extensions.push(cursor.extension()?);
        if !cursor.rest.is_empty() && !cursor.take(b',') {
            return Err(Malformed);
        }
    }
    Ok(())
}

/// What is left to read. White space is allowed around every separator, as RFC 2616's lists,
/// which RFC 6455 refers to, have it.
struct Cursor<'a> {
    rest: &'a [u8],
}

impl Cursor<'_> {
    fn extension(&mut self) -> Result<Extension, Malformed> {
        let name = self.token()?;
        let mut parameters = Vec::new();
        while self.take(b';') {
            let name = self.token()?;
            let value = match self.take(b'=') {
                true => Some(self.value()?),
                false => None,
            };
            parameters.push((name, value));
        }
        Ok(Extension { name, parameters })
    }

    fn value(&mut self) -> Result<String, Malformed> {
        match self.rest.first() {
            Some(b'"') => self.quoted(),
            _ => self.token(),
        }
    }

    fn token(&mut self) -> Result<String, Malformed> {
        let end = self.rest.iter().position(|&byte| !is_token_byte(byte));
        let (text, rest) = self.rest.split_at(end.unwrap_or(self.rest.len()));
        self.rest = trim(rest);
        token(text).map(str::to_owned).ok_or(Malformed)
    }

    /// A quoted string, which has to hold a token once its escapes are undone (RFC 6455 §9.1).
    fn quoted(&mut self) -> Result<String, Malformed> {
        let mut text = Vec::new();
        let mut bytes = self.rest.iter().enumerate().skip(1);
        while let Some((at, &byte)) = bytes.next() {
            match byte {
                b'"' => {
                    self.rest = trim(&self.rest[at + 1..]);
                    return token(&text).map(str::to_owned).ok_or(Malformed);
                }
                b'\\' => text.push(bytes.next().map(|(_, &byte)| byte).ok_or(Malformed)?),
                byte => text.push(byte),
            }
        }
        Err(Malformed)
    }

    fn take(&mut self, separator: u8) -> bool {
        match self.rest.split_first() {
            Some((&first, rest)) if first == separator => {
                self.rest = trim(rest);
                true
            }
            _ => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;
    use proptest::prelude::*;
    use rstest::rstest;

    use http::{HeaderMap, header};

    use super::*;

    fn headers(lines: &[&[u8]]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for line in lines {
            let value = HeaderValue::from_bytes(line).unwrap();
            headers.append(header::SEC_WEBSOCKET_EXTENSIONS, value);
        }
        headers
    }

    /// The extensions as plain text, one a line.
    fn read(lines: &[&str]) -> Result<Vec<String>, Malformed> {
        let lines: Vec<&[u8]> = lines.iter().map(|line| line.as_bytes()).collect();
        let plain = |extension: Extension| {
            let mut text = extension.name;
            for (name, value) in extension.parameters {
                text += &format!(";{name}");
                text += &value.map(|value| format!("={value}")).unwrap_or_default();
            }
            text
        };
        Ok(
            parse(headers(&lines).get_all(header::SEC_WEBSOCKET_EXTENSIONS))?
                .into_iter()
                .map(plain)
                .collect(),
        )
    }

    #[test]
    fn extensions_are_read_over_all_lines() {
        assert_eq!(read(&[]), Ok(vec![]));
        let lines = ["foo, ,bar;baz=2", "", " a ; b = \"c\\d\" ; e=f , g,"];
        assert_eq!(
            read(&lines),
            Ok(["foo", "bar;baz=2", "a;b=cd;e=f", "g"]
                .map(str::to_owned)
                .to_vec())
        );
    }

    #[test]
    fn an_empty_list_names_no_extension() {
        for lines in [&[""][..], &["", ""], &[" , ,"]] {
            assert_eq!(read(lines), Ok(vec![]), "{lines:?}");
        }
    }

    #[rstest]
    #[case("a b")]
    #[case("a;")]
    #[case("a;;b")]
    #[case(";a")]
    #[case("a;b=")]
    #[case("a;=b")]
    #[case("a;b=\"\"")]
    #[case("a;b=\"c d\"")]
    #[case("a;b=\"c")]
    #[case("a;b=\"c\\")]
    #[case("a;b=\"c\"d")]
    #[case("a=b")]
    #[case("\"a\"")]
    #[case("a\u{e9}")]
    fn what_the_grammar_has_not_is_malformed(#[case] line: &str) {
        assert_eq!(read(&[line]), Err(Malformed));
    }

    proptest! {
        #[test]
        fn any_bytes_are_read_or_refused(line in "[a=;,\" \\\\\t\u{80}]{0,40}") {
            if let Ok(extensions) = parse(headers(&[line.as_bytes()]).get_all(header::SEC_WEBSOCKET_EXTENSIONS)) {
                prop_assert!(extensions.iter().all(|e| token(e.name.as_bytes()).is_some()));
            }
        }
    }
}
