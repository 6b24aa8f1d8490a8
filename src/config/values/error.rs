//! What is wrong with one value.

use std::fmt;

/// What is wrong with a value, and what would be right.
///
/// It does not name the key: the place of the value is known where the value was read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ValueError {
    message: String,
    /// The words under the caret, where the message alone says too little.
    label: Option<String>,
    help: Option<String>,
}

impl ValueError {
    pub(in crate::config) fn new(message: impl AsRef<str>) -> Self {
        Self {
            message: printable(message.as_ref()),
            label: None,
            help: None,
        }
    }

    pub(in crate::config) fn label(mut self, label: &str) -> Self {
        self.label = Some(printable(label));
        self
    }

    pub(in crate::config) fn help(mut self, help: impl AsRef<str>) -> Self {
        self.help = Some(printable(help.as_ref()));
        self
    }

    /// Adds `did you mean …?` if one of `words` is near enough to what was written.
    pub(in crate::config) fn did_you_mean<'a>(
        self,
        written: &str,
        words: impl IntoIterator<Item = &'a str>,
    ) -> Self {
        match nearest(written, words) {
            Some(word) => self.help(format!("did you mean `{word}`?")),
            None => self,
        }
    }

    pub(in crate::config) fn or_help(self, help: impl AsRef<str>) -> Self {
        match self.help {
            Some(_) => self,
            None => self.help(help),
        }
    }

    /// A word that is none of those that are known.
    pub(in crate::config) fn unknown_word(written: &str, words: &[&str]) -> Self {
        let all: Vec<_> = words.iter().map(|word| format!("\"{word}\"")).collect();
        let problem = Self::new(format!("`{written}` is none of {}", all.join(", ")));
        let lower = written.to_ascii_lowercase().replace('-', "_");
        let known = OTHER_WORDS
            .iter()
            .find(|(others, meant)| others.contains(&&*lower) && words.contains(meant));
        match known {
            Some((_, meant)) => problem.help(format!("did you mean \"{meant}\"?")),
            None => problem.did_you_mean(written, words.iter().copied()),
        }
    }

    /// Whether it may repeat a part of the value, which stands in backquotes then.
    pub(in crate::config) fn quotes(&self) -> bool {
        let texts = [Some(&self.message), self.label.as_ref(), self.help.as_ref()];
        texts.into_iter().flatten().any(|text| text.contains('`'))
    }

    /// What is wrong, in one line.
    pub fn message(&self) -> &str {
        &self.message
    }

    /// What would be right, where that is known.
    pub fn suggestion(&self) -> Option<&str> {
        self.help.as_deref()
    }

    #[cfg(feature = "server")]
    pub(in crate::config) fn under_the_caret(&self) -> Option<&str> {
        self.label.as_deref()
    }

    /// The error for serde, which takes a text and nothing else: the help stands in a second line.
    pub(in crate::config) fn into_serde<E: serde::de::Error>(self) -> E {
        match self.help {
            Some(help) => E::custom(format_args!("{}\n{help}", self.message)),
            None => E::custom(self.message),
        }
    }

    /// The error that [`Self::into_serde`] made this text of.
    pub(in crate::config) fn from_serde(text: &str) -> Self {
        match text.split_once('\n') {
            Some((message, help)) => Self::new(message).help(help),
            None => Self::new(text),
        }
    }
}

/// What other programs call the words of the settings.
const OTHER_WORDS: [(&[&str], &str); 17] = [
    (
        &["leastconn", "least_conn", "leastconns"],
        "least_connections",
    ),
    (&["rr", "roundrobin", "wrr"], "round_robin"),
    (&["random", "p2c", "random_choose"], "random_two"),
    (&["source", "iphash", "client_ip_hash", "sticky"], "ip_hash"),
    (&["plain", "pretty", "logfmt", "console"], "text"),
    (&["on", "yes", "true", "allow"], "forward"),
    (&["off", "no", "false", "deny"], "refuse"),
    (&["on", "yes", "true", "deflate"], "passthrough"),
    (&["no", "false", "none"], "off"),
    (&["http1", "http/1.1", "http1.1", "1.1"], "h1"),
    (&["http2", "http/2", "http/2.0", "h2c", "2"], "h2"),
    (&["drop", "oldest", "drop_old"], "drop_oldest"),
    (&["newest", "last", "coalesce"], "latest"),
    (&["sessions", "session"], "connections"),
    (&["fail_open", "open", "allow", "ignore"], "local"),
    (&["fail_closed", "closed", "refuse"], "deny"),
    (
        &["x_real_ip", "true_client_ip", "cf_connecting_ip"],
        "x-forwarded-for",
    ),
];

impl fmt::Display for ValueError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)?;
        match &self.help {
            Some(help) => write!(f, " ({help})"),
            None => Ok(()),
        }
    }
}

impl std::error::Error for ValueError {}

/// The word that was probably meant: one slip away, more only in a long word.
pub(in crate::config) fn nearest<'a>(
    written: &str,
    words: impl IntoIterator<Item = &'a str>,
) -> Option<&'a str> {
    let written = written.to_ascii_lowercase();
    let far = (written.chars().count() / 3).max(1);
    words
        .into_iter()
        .map(|word| (strsim::damerau_levenshtein(&written, word), word))
        .filter(|(distance, word)| *distance <= far && *distance < word.len())
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, word)| word)
}

/// The characters of a sentence: it may repeat what is wrong, and that may be a megabyte.
const LONGEST: usize = 400;

/// Keeps a value's control characters out of terminals and logs, and the end of what is too long.
fn printable(text: &str) -> String {
    let mut printable = String::with_capacity(text.len().min(LONGEST));
    for (index, character) in text.chars().enumerate() {
        if index == LONGEST {
            printable.push('…');
            break;
        }
        if character.is_control() {
            printable.extend(character.escape_default());
        } else {
            printable.push(character);
        }
    }
    printable
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nearest_word_is_a_slip_away() {
        let words = ["address", "allow", "deny", "path"];
        for (written, expected) in [
            ("adress", Some("address")),
            ("Allow", Some("allow")),
            ("alow", Some("allow")),
            ("addrses", Some("address")),
            ("auth", None),
            ("protocol", None),
            ("x", None),
        ] {
            assert_eq!(nearest(written, words), expected, "{written}");
        }
    }

    #[test]
    fn a_near_miss_is_helped() {
        let words = ["least_connections", "round_robin", "random_two", "ip_hash"];
        assert_eq!(
            ValueError::unknown_word("roundrobin", &words).to_string(),
            "`roundrobin` is none of \"least_connections\", \"round_robin\", \"random_two\", \
             \"ip_hash\" (did you mean \"round_robin\"?)"
        );
    }

    #[test]
    fn serde_carries_message_and_help() {
        for error in [
            ValueError::new("no\n"),
            ValueError::new("no").help("yes\nyes"),
        ] {
            let carried: serde::de::value::Error = error.clone().into_serde();
            assert_eq!(ValueError::from_serde(&carried.to_string()), error);
        }
    }
}
