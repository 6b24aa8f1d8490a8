//! How a refusal is answered.

use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Response, StatusCode, header};
use http_body_util::Full;

use super::Rejection;

impl Rejection {
    fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::HandshakeRate { retry_after } | Self::SubjectHandshakes { retry_after } => {
                Some(*retry_after)
            }
            Self::Denied(denial) => denial.retry_after,
            _ => match self.status() {
                StatusCode::TOO_MANY_REQUESTS | StatusCode::SERVICE_UNAVAILABLE => {
                    Some(RETRY_AFTER)
                }
                _ => None,
            },
        }
    }

    /// The answer. It closes the connection: what follows a refused upgrade on its connection is
    /// not trusted to be HTTP, and is discarded.
    pub fn into_response(self) -> Response<Full<Bytes>> {
        let status = self.status();
        let mut response = Response::new(Full::new(Bytes::from(format!("{}\n", self.message()))));
        *response.status_mut() = status;
        let headers = response.headers_mut();
        headers.insert(
            header::CONTENT_TYPE,
            HeaderValue::from_static("text/plain; charset=utf-8"),
        );
        headers.insert(header::CONNECTION, HeaderValue::from_static("close"));
        self.status_headers(status, headers);
        if let Self::Denied(denial) = &self {
            if let Some(body) = &denial.body {
                headers.remove(header::CONTENT_TYPE);
                *response.body_mut() = Full::new(body.clone());
            }
            response.headers_mut().extend(denial.headers.clone());
        }
        // The typed cause, for the host's own logs and error pages.
        response.extensions_mut().insert(self);
        response
    }

    /// What `WWW-Authenticate` says of a credential (RFC 6750 §3). A request without one gets no code (§3.1).
    fn challenge(&self) -> Option<&'static str> {
        match self {
            Self::CredentialMissing => Some("Bearer"),
            Self::CredentialAmbiguous => Some("Bearer error=\"invalid_request\""),
            Self::CredentialUnknown | Self::Token(_) => Some("Bearer error=\"invalid_token\""),
            Self::ClaimRefused => Some("Bearer error=\"insufficient_scope\""),
            _ => None,
        }
    }

    /// What a status owes the client by its RFC.
    fn status_headers(&self, status: StatusCode, headers: &mut HeaderMap) {
        if status == StatusCode::UPGRADE_REQUIRED {
            // RFC 9110 §15.5.22 and RFC 6455 §4.4.
            headers.insert(header::UPGRADE, HeaderValue::from_static("websocket"));
            headers.insert(
                header::CONNECTION,
                HeaderValue::from_static("Upgrade, close"),
            );
            headers.insert(
                header::SEC_WEBSOCKET_VERSION,
                HeaderValue::from_static("13"),
            );
        }
        // RFC 9110 §15.5.6, §9.3.7.
        if let Self::MaxForwards(_) = self {
            headers.insert(header::ALLOW, HeaderValue::from_static("GET, OPTIONS"));
        } else if status == StatusCode::METHOD_NOT_ALLOWED {
            headers.insert(header::ALLOW, HeaderValue::from_static("GET"));
        }
        if let Some(challenge) = self.challenge() {
            let challenge = HeaderValue::from_static(challenge);
            headers.insert(header::WWW_AUTHENTICATE, challenge);
        }
        if let Some(wait) = self.retry_after() {
            let seconds = wait.as_secs() + u64::from(wait.subsec_nanos() > 0);
            headers.insert(header::RETRY_AFTER, HeaderValue::from(seconds.max(1)));
        }
    }
}

/// The wait that `Retry-After` names where nothing better is known.
const RETRY_AFTER: Duration = Duration::from_secs(5);

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rejection::TokenFault;

    #[test]
    fn a_refused_version_names_the_one_spoken() {
        let response = Rejection::Version.into_response();
        assert_eq!(response.status(), 426);
        assert_eq!(response.headers()["sec-websocket-version"], "13");
        assert_eq!(response.headers()["upgrade"], "websocket");
        assert_eq!(response.headers()["connection"], "Upgrade, close");
    }

    #[test]
    fn retry_after_is_rounded_up() {
        let wait = |millis| Rejection::HandshakeRate {
            retry_after: Duration::from_millis(millis),
        };
        for (millis, seconds) in [(0, "1"), (999, "1"), (1000, "1"), (1001, "2")] {
            let response = wait(millis).into_response();
            assert_eq!(response.status(), 429);
            assert_eq!(response.headers()["retry-after"], seconds, "{millis} ms");
        }
    }

    #[test]
    fn a_refused_credential_is_challenged() {
        for (rejection, status, challenge) in [
            (Rejection::CredentialMissing, 401, "Bearer"),
            (
                Rejection::CredentialAmbiguous,
                400,
                "Bearer error=\"invalid_request\"",
            ),
            (
                Rejection::Token(TokenFault::Expired),
                401,
                "Bearer error=\"invalid_token\"",
            ),
            (
                Rejection::ClaimRefused,
                403,
                "Bearer error=\"insufficient_scope\"",
            ),
        ] {
            let response = rejection.into_response();
            assert_eq!(response.status(), status);
            assert_eq!(response.headers()["www-authenticate"], challenge);
        }
    }

    #[test]
    fn every_refusal_closes_its_connection() {
        for rejection in [Rejection::NoRoute, Rejection::Method, Rejection::Draining] {
            let response = rejection.into_response();
            assert!(
                response.headers()["connection"]
                    .to_str()
                    .unwrap()
                    .contains("close")
            );
        }
    }
}
