//! The name that a server's certificate must have.

use std::net::IpAddr;

use super::error::ValueError;
use super::server_url::is_host;
use super::text::Text;

/// A DNS name or an address (RFC 9110 §4.3.4); an empty string is none.
pub(in crate::config) struct ServerName;

impl Text for ServerName {
    type Value = Option<String>;
    const FORM: &'static str = "a name such as \"chat.internal\"";
    const PATTERN: Option<&'static str> = Some(r"^[A-Za-z0-9._:-]*$");

    fn parse(text: &str) -> Result<Self::Value, ValueError> {
        match text {
            "" => Ok(None),
            _ if text.parse::<IpAddr>().is_ok() || is_host(text).is_ok() => {
                Ok(Some(text.to_ascii_lowercase()))
            }
            _ => Err(ValueError::new("a certificate has no such name")
                .help("write a host name or an address, without a scheme and a port")),
        }
    }

    fn print(name: &Self::Value) -> String {
        name.clone().unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_a_host_or_none() {
        for (text, name) in [
            ("", None),
            ("Chat.internal", Some("chat.internal")),
            ("192.0.2.1", Some("192.0.2.1")),
            ("2001:db8::1", Some("2001:db8::1")),
        ] {
            assert_eq!(
                ServerName::parse(text),
                Ok(name.map(str::to_owned)),
                "{text}"
            );
        }
        for text in ["wss://chat", "chat:443", "*.chat", "a b", "a..b"] {
            assert!(ServerName::parse(text).is_err(), "{text}");
        }
    }
}
