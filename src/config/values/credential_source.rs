//! Where a client shows who it is: `header:authorization`, `cookie:NAME`, `query:NAME`, `subprotocol:PREFIX`.

use std::fmt;
use std::str::FromStr;

use http::HeaderName;

use super::error::ValueError;
use super::name::check_subprotocol;
use super::text::text;

/// A place in a request where a credential may stand.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CredentialSource {
    /// A header. In `Authorization` it stands behind `Bearer`, in another one alone.
    Header(HeaderName),
    /// A cookie.
    Cookie(String),
    /// A parameter of the query.
    Query(String),
    /// A subprotocol that begins so; browsers can send nothing else with a WebSocket. The rest of its name is the
    /// credential, or its base64url if the prefix begins with `base64url.`.
    Subprotocol(String),
}

impl CredentialSource {
    /// Whether a browser sends it along unasked, also for a page of somebody else.
    #[cfg_attr(not(feature = "auth"), allow(dead_code))]
    pub(in crate::config) fn is_cookie(&self) -> bool {
        matches!(self, Self::Cookie(_))
    }

    /// Whether one credential could stand in both places.
    #[cfg_attr(not(feature = "auth"), allow(dead_code))]
    pub(in crate::config) fn overlaps(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Subprotocol(one), Self::Subprotocol(other)) => {
                one.starts_with(&**other) || other.starts_with(&**one)
            }
            _ => self == other,
        }
    }
}

impl FromStr for CredentialSource {
    type Err = ValueError;

    fn from_str(text: &str) -> Result<Self, ValueError> {
        let Some((kind, name)) = text.split_once(':') else {
            return Err(unknown(text));
        };
        let word = |what| match is_word(name) {
            true => Ok(name.to_owned()),
            false => Err(
                ValueError::new(format!("`{name}` is not the name of a {what}"))
                    .help("it has letters, digits, `-`, `_` and `.`"),
            ),
        };
        match kind {
            "header" => {
                let name = HeaderName::from_bytes(name.as_bytes());
                let name = name.ok().filter(|name| !is_of_the_connection(name));
                let name = name.ok_or_else(|| {
                    ValueError::new("no credential stands in this header")
                        .help("write \"header:authorization\", or a header of your own")
                })?;
                Ok(Self::Header(name))
            }
            "cookie" => word("cookie").map(Self::Cookie),
            "query" => word("parameter").map(Self::Query),
            "subprotocol" => {
                check_subprotocol(name)?;
                Ok(Self::Subprotocol(name.to_owned()))
            }
            _ => Err(unknown(text)),
        }
    }
}

/// The headers that the gate or the connection needs for something else.
fn is_of_the_connection(name: &HeaderName) -> bool {
    let name = name.as_str();
    matches!(
        name,
        "connection" | "cookie" | "host" | "origin" | "upgrade" | "via"
    ) || name.starts_with("sec-")
        || name.starts_with("content-")
        || name.starts_with("x-forwarded-")
}

fn is_word(name: &str) -> bool {
    let is_word = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
    !name.is_empty() && name.bytes().all(is_word)
}

fn unknown(text: &str) -> ValueError {
    let kinds = ["header", "cookie", "query", "subprotocol"];
    let kind = text.split(':').next().unwrap_or_default();
    ValueError::new("this is no place of a credential")
        .did_you_mean(kind, kinds)
        .or_help(
            "there are \"header:authorization\", \"cookie:NAME\", \"query:NAME\" and \"subprotocol:PREFIX\"",
        )
}

impl fmt::Display for CredentialSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Header(name) => write!(f, "header:{name}"),
            Self::Cookie(name) => write!(f, "cookie:{name}"),
            Self::Query(name) => write!(f, "query:{name}"),
            Self::Subprotocol(prefix) => write!(f, "subprotocol:{prefix}"),
        }
    }
}

text!(
    CredentialSource,
    "a place such as \"header:authorization\"",
    r"^(header|cookie|query|subprotocol):[A-Za-z0-9!#$%&'*+.^_`|~-]+$"
);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_is_a_kind_and_a_name() {
        for text in [
            "header:authorization",
            "header:x-api-key",
            "cookie:__Host-session",
            "query:access_token",
            "subprotocol:bearer.",
        ] {
            let source: CredentialSource = text.parse().unwrap();
            assert_eq!(source.to_string(), text);
        }
    }

    #[test]
    fn a_wrong_place_says_what_there_is() {
        for (text, message) in [
            ("authorization", "no place of a credential"),
            ("headers:authorization", "no place of a credential"),
            ("header:", "no credential stands in this header"),
            ("header:cookie", "no credential stands in this header"),
            (
                "header:sec-websocket-protocol",
                "no credential stands in this header",
            ),
            ("cookie:a b", "`a b` is not the name of a cookie"),
            ("query:a=b", "is not the name of a parameter"),
            ("subprotocol:a,b", "cannot be a subprotocol"),
            ("subprotocol:", "cannot be a subprotocol"),
        ] {
            let error = text.parse::<CredentialSource>().unwrap_err().to_string();
            assert!(error.contains(message), "{text}: {error}");
        }
    }
}
