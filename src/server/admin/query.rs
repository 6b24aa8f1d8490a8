//! What stands behind the `?` of a request. Nothing in it is passed over: a filter that somebody
//! mistyped would otherwise be none, and a `DELETE` mean everybody.

use std::time::Duration;

use ipnet::IpNet;

use crate::close::{CloseCode, MAX_REASON};
use crate::config::{parse_duration, parse_network};

/// The keys and values of a request, decoded; no key is there twice.
#[derive(Debug, Default)]
pub(super) struct Query {
    pairs: Vec<(&'static str, String)>,
}

/// What is wrong with a query. Of what somebody else wrote nothing is repeated: it may have been a
/// secret that went astray.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum BadQuery {
    #[error("key {position} of the query is not known here: {}", known(.keys))]
    UnknownKey {
        position: usize,
        keys: &'static [&'static str],
    },
    #[error("`{key}` is there twice")]
    DoubledKey { key: &'static str },
    #[error("key {position} of the query, or its value, is not percent-encoded UTF-8")]
    Encoding { position: usize },
    #[error("`{key}` must be {form}")]
    Value {
        key: &'static str,
        form: &'static str,
    },
    #[error("`{key}`: {problem}")]
    Problem { key: &'static str, problem: String },
    #[error("{0}")]
    Together(&'static str),
}

impl Query {
    /// Reads a query that may have these keys.
    pub(super) fn read(
        query: Option<&str>,
        keys: &'static [&'static str],
    ) -> Result<Self, BadQuery> {
        let mut pairs: Vec<(&'static str, String)> = Vec::new();
        let written = query.unwrap_or_default().split('&');
        let written = written.filter(|pair| !pair.is_empty());
        for (position, pair) in (1..).zip(written) {
            let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
            let (Some(key), Some(value)) = (form_decode(key), form_decode(value)) else {
                return Err(BadQuery::Encoding { position });
            };
            let Some(key) = keys.iter().copied().find(|known| *known == key) else {
                return Err(BadQuery::UnknownKey { position, keys });
            };
            if pairs.iter().any(|(other, _)| *other == key) {
                return Err(BadQuery::DoubledKey { key });
            }
            pairs.push((key, value));
        }
        Ok(Self { pairs })
    }

    fn get(&self, key: &str) -> Option<&str> {
        let mut pairs = self.pairs.iter();
        let found = pairs.find(|(name, _)| *name == key);
        found.map(|(_, value)| value.as_str())
    }

    /// A name of the settings.
    pub(super) fn name(&self, key: &'static str) -> Result<Option<String>, BadQuery> {
        match self.get(key) {
            Some("") => Err(wrong(key, "a name")),
            name => Ok(name.map(str::to_owned)),
        }
    }

    /// `true` or `false`; without it, false.
    pub(super) fn flag(&self, key: &'static str) -> Result<bool, BadQuery> {
        match self.get(key) {
            None | Some("false") => Ok(false),
            Some("true") => Ok(true),
            Some(_) => Err(wrong(key, "true or false")),
        }
    }

    /// Some of these words, with commas between them.
    pub(super) fn words(
        &self,
        key: &'static str,
        words: &[&'static str],
    ) -> Result<Option<Vec<&'static str>>, BadQuery> {
        let Some(value) = self.get(key) else {
            return Ok(None);
        };
        let find = |word| words.iter().find(|known| **known == word).copied();
        let found: Option<Vec<_>> = value.split(',').map(find).collect();
        found.map(Some).ok_or_else(|| BadQuery::Problem {
            key,
            problem: format!("give some of {}, with commas between", words.join(", ")),
        })
    }

    /// A whole number within bounds.
    pub(super) fn number(
        &self,
        key: &'static str,
        bounds: std::ops::RangeInclusive<u64>,
        form: &'static str,
    ) -> Result<Option<u64>, BadQuery> {
        let Some(value) = self.get(key) else {
            return Ok(None);
        };
        let number = whole_number(value).filter(|number| bounds.contains(number));
        number.map(Some).ok_or_else(|| wrong(key, form))
    }

    /// An address, or a network of them.
    pub(super) fn network(&self, key: &'static str) -> Result<Option<IpNet>, BadQuery> {
        let Some(value) = self.get(key) else {
            return Ok(None);
        };
        let form = "an address, or a network such as `10.0.0.0/8` without bits behind its prefix";
        parse_network(value).map(Some).map_err(|_| wrong(key, form))
    }

    /// A duration as the settings have it, `10s`.
    pub(super) fn duration(&self, key: &'static str) -> Result<Option<Duration>, BadQuery> {
        let Some(value) = self.get(key) else {
            return Ok(None);
        };
        let duration = parse_duration(value);
        let form = "a duration such as `10s`, and no longer than a year";
        duration.map(Some).ok_or_else(|| wrong(key, form))
    }

    /// `code` and `reason`: what the client of a session is told.
    pub(super) fn farewell(&self) -> Result<(CloseCode, &str), BadQuery> {
        let code = match self.get("code") {
            None => CloseCode::GOING_AWAY,
            Some(code) => (whole_number(code))
                .and_then(|code| u16::try_from(code).ok())
                .and_then(CloseCode::new)
                .ok_or_else(|| wrong("code", "1000 to 1003, 1007 to 1014 or 3000 to 4999"))?,
        };
        let reason = self.get("reason").unwrap_or("closed by an administrator");
        match reason.len() <= MAX_REASON {
            true => Ok((code, reason)),
            false => Err(wrong("reason", "at most 123 bytes long")),
        }
    }
}

fn wrong(key: &'static str, form: &'static str) -> BadQuery {
    BadQuery::Value { key, form }
}

fn known(keys: &[&str]) -> String {
    match keys {
        [] => "nothing can be asked for".to_owned(),
        keys => format!("the keys are {}", keys.join(", ")),
    }
}

/// Digits alone: `+1` is not how anybody writes a number here.
fn whole_number(text: &str) -> Option<u64> {
    let digits = text.bytes().all(|byte| byte.is_ascii_digit());
    digits.then(|| text.parse().ok()).flatten()
}

/// The text that a form's encoding stands for: `+` is a space.
fn form_decode(text: &str) -> Option<String> {
    percent_decode(&text.replace('+', " "))
}

/// The text that a percent-encoded one stands for (RFC 3986 §2.1).
pub(super) fn percent_decode(text: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        bytes.push(match byte {
            b'%' => {
                let mut digit = || char::from(rest.next()?).to_digit(16);
                let (high, low) = (digit()?, digit()?);
                u8::try_from(high * 16 + low).ok()?
            }
            byte => byte,
        });
    }
    String::from_utf8(bytes).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEYS: &[&str] = &[
        "route", "limit", "close", "client", "over", "code", "reason",
    ];

    fn read(query: &str) -> Query {
        Query::read(Some(query), KEYS).unwrap()
    }

    #[test]
    fn a_query_is_its_keys_and_decoded_values() {
        for (query, expected) in [
            ("route=chat", Some("chat")),
            ("route=a+b%20c%2Bd", Some("a b c+d")),
            ("r%6fute=%C3%A4&limit=1", Some("ä")),
            ("&&route=a=b&", Some("a=b")),
            ("limit=1", None),
            ("", None),
        ] {
            assert_eq!(read(query).get("route"), expected, "{query}");
        }
        assert_eq!(Query::read(None, &[]).unwrap().get("route"), None);
    }

    #[test]
    fn nothing_in_a_query_is_passed_over() {
        for (query, problem) in [
            (
                "routes=a",
                "key 1 of the query is not known here: the keys are route, limit",
            ),
            ("route=a&&c4nary", "key 2 of the query is not known here"),
            ("route=a&route=a", "`route` is there twice"),
            ("route=a&r%6fute=b", "`route` is there twice"),
            (
                "route=%",
                "key 1 of the query, or its value, is not percent",
            ),
            ("route=%f", "key 1 of the query, or its value, is not"),
            (
                "limit=1&route=%+1",
                "key 2 of the query, or its value, is not",
            ),
            ("route=%ff", "key 1 of the query, or its value, is not"),
            ("%zz=1", "key 1 of the query, or its value, is not"),
        ] {
            let error = Query::read(Some(query), KEYS).unwrap_err().to_string();
            assert!(error.contains(problem), "{query}: {error}");
            assert!(!error.contains("c4nary"), "{error}");
        }
        let error = Query::read(Some("a=1"), &[]).unwrap_err().to_string();
        let expected = "key 1 of the query is not known here: nothing can be asked for";
        assert_eq!(error, expected);
    }

    #[test]
    fn a_value_is_of_its_form_or_named_as_wrong() {
        fn problem<T: std::fmt::Debug>(value: Result<T, BadQuery>) -> String {
            value.unwrap_err().to_string()
        }
        let limit = |query| read(query).number("limit", 1..=10, "a number from 1 to 10");
        assert_eq!(limit("").unwrap(), None);
        assert_eq!(limit("limit=10").unwrap(), Some(10));
        for query in ["limit=0", "limit=11", "limit=", "limit=%2B1", "limit=x"] {
            assert_eq!(
                problem(limit(query)),
                "`limit` must be a number from 1 to 10"
            );
        }
        assert!(read("close=true").flag("close").unwrap());
        assert!(!read("close=false").flag("close").unwrap());
        assert!(!read("").flag("close").unwrap());
        assert_eq!(
            problem(read("close=1").flag("close")),
            "`close` must be true or false"
        );
        assert_eq!(
            problem(read("route=").name("route")),
            "`route` must be a name"
        );
        let words = |query| read(query).words("route", &["a", "b"]);
        assert_eq!(words("").unwrap(), None);
        assert_eq!(words("route=b,a").unwrap(), Some(vec!["b", "a"]));
        for query in ["route=", "route=a,", "route=A", "route=a%20b"] {
            let expected = "`route`: give some of a, b, with commas between";
            assert_eq!(problem(words(query)), expected);
        }
        let client = |query| read(query).network("client");
        let net = client("client=10.0.0.0/8").unwrap().unwrap();
        assert_eq!(net.to_string(), "10.0.0.0/8");
        assert!(problem(client("client=nobody")).starts_with("`client` must be an address"));
        let over = |query| read(query).duration("over");
        assert_eq!(over("over=10s").unwrap(), Some(Duration::from_secs(10)));
        assert!(problem(over("over=10")).starts_with("`over` must be a duration"));
    }

    #[test]
    fn what_a_client_is_told_fits_a_close_frame() {
        let usual = (CloseCode::GOING_AWAY, "closed by an administrator");
        assert_eq!(read("").farewell().unwrap(), usual);
        let told = read("code=4001&reason=bye+bye");
        let told = told.farewell().unwrap();
        assert_eq!((told.0.get(), told.1), (4001, "bye bye"));
        let longest = format!("reason={}", "x".repeat(123));
        assert_eq!(read(&longest).farewell().unwrap().1.len(), 123);
        for query in [
            "code=1005".to_owned(),
            "code=1006".to_owned(),
            "code=".to_owned(),
            "code=66537".to_owned(),
            format!("{longest}x"),
            // Bytes count, and not letters.
            format!("reason={}", "ä".repeat(62)),
        ] {
            assert!(read(&query).farewell().is_err(), "{query}");
        }
    }
}
