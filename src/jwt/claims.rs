//! What a verified token says.

use std::fmt;
use std::time::{Duration, SystemTime};

use serde_json::{Map, Value};

/// The claims of a token whose signature and time were verified.
pub(crate) struct Claims {
    pub(super) values: Map<String, Value>,
    pub(super) expires_at: Option<SystemTime>,
}

impl Claims {
    /// Whom it is about (`sub`, RFC 7519 §4.1.2).
    pub(crate) fn subject(&self) -> Option<&str> {
        self.text("sub")
    }

    /// What tells it apart (`jti`, RFC 7519 §4.1.7).
    pub(crate) fn token_id(&self) -> Option<&str> {
        self.text("jti")
    }

    /// The login that it comes from (`sid`).
    pub(crate) fn login(&self) -> Option<&str> {
        self.text("sid")
    }

    /// When it was issued (`iat`, RFC 7519 §4.1.6).
    pub(crate) fn issued_at(&self) -> Option<SystemTime> {
        moment(self.values.get("iat")?)
    }

    /// When it expires (`exp`, RFC 7519 §4.1.4). A token of a logout need not say it.
    pub(crate) fn expires_at(&self) -> Option<SystemTime> {
        self.expires_at
    }

    /// A claim by its name, or by a path of names with dots between them: providers nest roles
    /// (`realm_access.roles`), and names may have dots themselves.
    pub(crate) fn find(&self, name: &str) -> Option<&Value> {
        if let Some(value) = self.values.get(name) {
            return Some(value);
        }
        let mut names = name.split('.');
        let outer = self.values.get(names.next()?)?;
        names.try_fold(outer, |value, name| value.as_object()?.get(name))
    }

    /// A claim as a word: a string, a number or a boolean; of a list, its words with commas between them. A list of which a
    /// word has a comma is none: it would look like another list.
    pub(crate) fn word(&self, name: &str) -> Option<String> {
        match self.find(name)? {
            Value::Array(values) => {
                let words: Option<Vec<_>> = values.iter().map(word).collect();
                let words = words?;
                let is_clear = words.iter().all(|word| !word.contains(','));
                is_clear.then(|| words.join(","))
            }
            value => word(value),
        }
    }

    fn text(&self, name: &str) -> Option<&str> {
        let text = self.values.get(name)?.as_str()?;
        Some(text).filter(|text| !text.is_empty())
    }
}

fn word(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        Value::Bool(value) => Some(value.to_string()),
        Value::Null | Value::Array(_) | Value::Object(_) => None,
    }
}

/// A `NumericDate`: seconds since 1970, with or without a fraction (RFC 7519 §2). One that the clock cannot
/// represent is none.
pub(super) fn moment(value: &Value) -> Option<SystemTime> {
    let since = match value.as_u64() {
        Some(seconds) => Duration::from_secs(seconds),
        None => Duration::try_from_secs_f64(value.as_f64()?).ok()?,
    };
    SystemTime::UNIX_EPOCH.checked_add(since)
}

/// The claims stay out: they are personal data.
impl fmt::Debug for Claims {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Claims")
            .field("expires_at", &self.expires_at)
            .finish_non_exhaustive()
    }
}
