//! Settings that are one word of a few.

use super::error::Problem;
use super::reader::FromText;
use super::{Balance, Compression, Forwarded, ForwardingHeader, LogFormat, OnExceed, PlainHttp};

/// A value that is one of a few words.
pub(super) trait Word: Copy + PartialEq + 'static {
    const WORDS: &'static [(&'static str, Self)];

    /// The word for the value.
    fn as_str(self) -> &'static str {
        let word = Self::WORDS.iter().find(|(_, value)| *value == self);
        word.map_or("", |(word, _)| word)
    }
}

/// What becomes of a request that lacks something.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    Allow,
    Deny,
}

impl Word for Verdict {
    const WORDS: &'static [(&'static str, Self)] = &[("allow", Self::Allow), ("deny", Self::Deny)];
}

impl Word for Balance {
    const WORDS: &'static [(&'static str, Self)] = &[
        ("least_connections", Self::LeastConnections),
        ("round_robin", Self::RoundRobin),
        ("random_two", Self::RandomTwo),
        ("ip_hash", Self::IpHash),
    ];
}

impl Word for Compression {
    const WORDS: &'static [(&'static str, Self)] =
        &[("passthrough", Self::Passthrough), ("off", Self::Off)];
}

impl Word for Forwarded {
    const WORDS: &'static [(&'static str, Self)] = &[
        ("x-forwarded", Self::XForwarded),
        ("forwarded", Self::Standard),
        ("both", Self::Both),
        ("off", Self::Off),
    ];
}

impl Word for ForwardingHeader {
    const WORDS: &'static [(&'static str, Self)] = &[
        ("x-forwarded-for", Self::XForwardedFor),
        ("forwarded", Self::Forwarded),
    ];
}

impl Word for LogFormat {
    const WORDS: &'static [(&'static str, Self)] = &[("text", Self::Text), ("json", Self::Json)];
}

impl Word for OnExceed {
    const WORDS: &'static [(&'static str, Self)] = &[
        ("close", Self::Close),
        ("delay", Self::Delay),
        ("drop", Self::Drop),
    ];
}

impl Word for PlainHttp {
    const WORDS: &'static [(&'static str, Self)] =
        &[("refuse", Self::Refuse), ("forward", Self::Forward)];
}

impl<T: Word> FromText for T {
    const FORM: &'static str = "a word in quotes";

    fn from_text(text: &str) -> Result<Self, Problem> {
        let words = || T::WORDS.iter().map(|(word, _)| *word);
        match T::WORDS.iter().find(|(word, _)| *word == text) {
            Some((_, value)) => Ok(*value),
            None => Err(unknown_word(text, words)),
        }
    }

    #[cfg(feature = "server")]
    fn schema() -> serde_json::Value {
        let words: Vec<_> = T::WORDS.iter().map(|(word, _)| *word).collect();
        serde_json::json!({ "enum": words })
    }
}

/// The problem with a word that is none of `words`.
pub(super) fn unknown_word<'a, Words>(text: &str, words: impl Fn() -> Words) -> Problem
where
    Words: Iterator<Item = &'a str>,
{
    let all: Vec<_> = words().map(|word| format!("\"{word}\"")).collect();
    Problem::new(format!("`{text}` is none of {}", all.join(", "))).did_you_mean(text, words())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_word_stands_for_its_own_value() {
        fn check<T: Word>() {
            for (word, value) in T::WORDS {
                assert!(T::from_text(word).unwrap() == *value);
                assert_eq!(value.as_str(), *word);
            }
            assert!(T::from_text("").is_err());
        }
        check::<Verdict>();
        check::<Balance>();
        check::<Compression>();
        check::<Forwarded>();
        check::<ForwardingHeader>();
        check::<LogFormat>();
        check::<OnExceed>();
        check::<PlainHttp>();
    }

    #[test]
    fn a_near_miss_is_helped() {
        let problem = Balance::from_text("roundrobin").unwrap_err();
        let expected = Problem::new(
            "`roundrobin` is none of \"least_connections\", \"round_robin\", \"random_two\", \
             \"ip_hash\"",
        );
        assert_eq!(problem, expected.help("did you mean `round_robin`?"));
    }
}
