//! What a probe has found, for a person or a script.

use std::fmt::Write;
use std::time::{Duration, SystemTime};

use serde_json::json;

use super::error::{ProbeError, code_text};
use super::handshake::Negotiated;
use super::session::Closed;
use super::tls::{Agreed, ClientCertificate, ShownCertificate};
use super::url::ProbeUrl;
use crate::cli::error::with_causes;
use crate::cli::table::printable;

/// What was found so far.
#[derive(Debug)]
pub(super) struct Report {
    url: String,
    has_tls: bool,
    has_echo: bool,
    pub(super) connect: Option<Duration>,
    /// What TLS came to, and how long its handshake took.
    pub(super) tls: Option<(Agreed, Duration)>,
    /// Of the server, trusted or not.
    pub(super) certificate: Option<ShownCertificate>,
    pub(super) client_certificate: ClientCertificate,
    pub(super) handshake: Option<Duration>,
    pub(super) negotiated: Option<Negotiated>,
    pub(super) ping: Option<Duration>,
    pub(super) echo: Option<Duration>,
    pub(super) close: Option<Closed>,
}

impl Report {
    pub(super) fn new(url: &ProbeUrl, has_echo: bool) -> Self {
        Self {
            url: url.to_string(),
            has_tls: url.is_tls,
            has_echo,
            connect: None,
            tls: None,
            certificate: None,
            client_certificate: ClientCertificate::NotAskedFor,
            handshake: None,
            negotiated: None,
            ping: None,
            echo: None,
            close: None,
        }
    }

    /// What the probe waits for.
    pub(super) fn awaited(&self) -> &'static str {
        match self {
            Self { connect: None, .. } => "the connection",
            Self {
                tls: None,
                has_tls: true,
                ..
            } => "the handshake of TLS",
            Self {
                handshake: None, ..
            } => "the answer to the handshake",
            Self { ping: None, .. } => "the pong",
            Self {
                echo: None,
                has_echo: true,
                ..
            } => "the echo",
            _ => "the close frame",
        }
    }

    /// A line for each thing that was found.
    pub(super) fn text(&self) -> String {
        let chosen = |of: fn(&Negotiated) -> &Option<String>| {
            let negotiated = self.negotiated.as_ref()?;
            Some(
                of(negotiated)
                    .as_deref()
                    .map_or("none".to_owned(), printable),
            )
        };
        let close = self.close.as_ref().map(|closed| {
            let reason = printable(&closed.reason);
            format!("{} {reason}", code_text(&closed.code))
                .trim_end()
                .to_owned()
        });
        let (shown, now) = (self.certificate.as_ref(), SystemTime::now());
        let mut text = String::new();
        for (name, value) in [
            ("url", Some(printable(&self.url))),
            ("connect", self.connect.map(written)),
            ("tls", self.agreed()),
            ("alpn", self.alpn().map(printable)),
            ("certificate", self.names()),
            ("issuer", shown.map(|shown| printable(&shown.issuer))),
            ("expires", shown.map(|shown| shown.validity(now))),
            ("client cert", self.own_certificate().map(str::to_owned)),
            (
                "handshake",
                self.handshake.map(|time| format!("101, {}", written(time))),
            ),
            ("subprotocol", chosen(|negotiated| &negotiated.subprotocol)),
            ("extensions", chosen(|negotiated| &negotiated.extensions)),
            ("ping", self.ping.map(written)),
            ("echo", self.echo.map(written)),
            ("close", close),
        ] {
            if let Some(value) = value {
                // Writing to a string cannot fail.
                let _written = writeln!(text, "{name:<13}{value}");
            }
        }
        text
    }

    /// Version, cipher suite and time of the handshake of TLS.
    fn agreed(&self) -> Option<String> {
        let (agreed, time) = self.tls.as_ref()?;
        let words = [agreed.version, agreed.cipher].into_iter().flatten();
        let words = words.map(str::to_owned).chain([written(*time)]);
        Some(words.collect::<Vec<_>>().join(", "))
    }

    fn alpn(&self) -> Option<&str> {
        let (agreed, _) = self.tls.as_ref()?;
        Some(agreed.protocol.as_deref().unwrap_or("none"))
    }

    fn names(&self) -> Option<String> {
        let names = &self.certificate.as_ref()?.names;
        Some(match names.is_empty() {
            true => "for no name".to_owned(),
            false => printable(&names.join(", ")),
        })
    }

    fn own_certificate(&self) -> Option<&'static str> {
        match self.client_certificate {
            ClientCertificate::NotAskedFor => None,
            ClientCertificate::Missing => Some("asked for, none shown"),
            ClientCertificate::Shown => Some("asked for, shown"),
        }
    }

    /// One line, which has every key in any case.
    pub(super) fn json(&self, error: Option<&ProbeError>) -> String {
        let (status, body, retry_after) = match error {
            Some(ProbeError::Refused {
                status,
                body,
                retry_after,
            }) => (Some(status.as_u16()), Some(body), retry_after.as_ref()),
            _ => (self.handshake.map(|_| 101), None, None),
        };
        let (close_code, close_reason) = match (error, &self.close) {
            (Some(ProbeError::Closed { code, reason }), _) | (_, Some(Closed { code, reason })) => {
                (*code, Some(reason))
            }
            _ => (None, None),
        };
        let negotiated = self.negotiated.as_ref();
        let (agreed, shown) = (
            self.tls.as_ref().map(|(agreed, _)| agreed),
            self.certificate.as_ref(),
        );
        let report = json!({
            "url": self.url,
            "outcome": error.map_or("ok", ProbeError::outcome),
            "error": error.map(|error| with_causes(error)),
            "connect_ms": self.connect.map(milliseconds),
            "tls": agreed.and_then(|agreed| agreed.version),
            "tls_ms": self.tls.as_ref().map(|(_, time)| milliseconds(*time)),
            "tls_cipher": agreed.and_then(|agreed| agreed.cipher),
            "alpn": agreed.and_then(|agreed| agreed.protocol.as_ref()),
            "certificate_names": shown.map(|shown| &shown.names),
            "certificate_issuer": shown.map(|shown| &shown.issuer),
            "certificate_expires": shown.map(ShownCertificate::expires),
            "client_certificate": match self.client_certificate {
                ClientCertificate::NotAskedFor => None,
                ClientCertificate::Missing => Some("missing"),
                ClientCertificate::Shown => Some("shown"),
            },
            "handshake_ms": self.handshake.map(milliseconds),
            "status": status,
            "retry_after": retry_after,
            "body": body,
            "subprotocol": negotiated.and_then(|negotiated| negotiated.subprotocol.as_ref()),
            "extensions": negotiated.and_then(|negotiated| negotiated.extensions.as_ref()),
            "ping_ms": self.ping.map(milliseconds),
            "echo_ms": self.echo.map(milliseconds),
            "close_code": close_code,
            "close_reason": close_reason,
        });
        format!("{report}\n")
    }
}

fn milliseconds(time: Duration) -> f64 {
    (time.as_secs_f64() * 1e6).round() / 1e3
}

fn written(time: Duration) -> String {
    format!("{:.1}ms", time.as_secs_f64() * 1e3)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_probe_waits_for_one_step_after_the_other() {
        let url = ProbeUrl::parse("wss://a.test/").unwrap();
        let mut report = Report::new(&url, true);
        let time = Some(Duration::from_millis(1));
        assert_eq!(report.awaited(), "the connection");
        report.connect = time;
        assert_eq!(report.awaited(), "the handshake of TLS");
        let agreed = Agreed {
            version: None,
            cipher: None,
            protocol: None,
        };
        report.tls = time.map(|time| (agreed, time));
        assert_eq!(report.awaited(), "the answer to the handshake");
        report.handshake = time;
        assert_eq!(report.awaited(), "the pong");
        report.ping = time;
        assert_eq!(report.awaited(), "the echo");
        report.echo = time;
        assert_eq!(report.awaited(), "the close frame");
    }
}
