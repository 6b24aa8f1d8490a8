//! The URL of an authority's directory (RFC 8555 §7.1.1).

use http::Uri;

use super::error::ValueError;
use super::text::Text;

/// A URL with https://; an empty string is none.
pub(in crate::config) struct DirectoryUrl;

impl Text for DirectoryUrl {
    type Value = String;
    const FORM: &'static str = "a URL such as \"https://acme.example.com/directory\"";
    const PATTERN: Option<&'static str> = Some(r"^(https://[^@\s#]+)?$");

    fn parse(text: &str) -> Result<Self::Value, ValueError> {
        if text.is_empty() {
            return Ok(String::new());
        }
        let uri = text.parse::<Uri>().ok().filter(|_| !text.contains('#'));
        let authority = uri.as_ref().and_then(Uri::authority);
        let is_url = authority.is_some_and(|authority| !authority.as_str().contains('@'));
        match uri.as_ref().and_then(Uri::scheme_str) {
            Some("https") if is_url => Ok(text.to_owned()),
            Some("http") if is_url => Err(ValueError::new("a directory is asked over TLS only")
                .help("its URL begins with https:// (RFC 8555 §6.1); `ca` is for an authority of your own")),
            _ => Err(ValueError::new("this is not the URL of a directory")
                .help("write it as the authority does: \"https://acme.example.com/directory\"")),
        }
    }

    fn print(url: &Self::Value) -> String {
        url.clone()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_a_url_over_tls_or_none() {
        for text in ["", "https://a.test/dir", "https://[::1]:14000/dir?x=1"] {
            assert_eq!(DirectoryUrl::parse(text).as_deref(), Ok(text));
        }
        for text in [
            "http://a.test/dir",
            "a.test/dir",
            "https://user:secret@a.test/dir",
            "https://a.test/dir#part",
            "https:///dir",
            "wss://a.test/dir",
            "https://a b/dir",
        ] {
            assert!(DirectoryUrl::parse(text).is_err(), "{text}");
        }
    }
}
