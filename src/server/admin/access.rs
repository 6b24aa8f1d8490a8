//! Who may use the interface.

use std::hint::black_box;
use std::net::IpAddr;
use std::sync::{PoisonError, RwLock};
use std::time::Duration;

use axum::body::Body;
use http::uri::{Authority, Scheme};
use http::{HeaderMap, Method, Request, StatusCode, header};
use tokio_util::sync::CancellationToken;

use super::library::Secret;
use crate::server::api::definition::{Api, Endpoint};
use crate::server::api::response::Refusal;

/// Access by the settings of the moment.
#[derive(Default)]
pub(crate) struct Access {
    current: RwLock<Current>,
}

#[derive(Default)]
struct Current {
    token: Option<Secret>,
    /// Cancelled when the settings have another token.
    revoked: CancellationToken,
}

/// How long a request is allowed for, which is longer than most need.
#[derive(Clone)]
pub(super) struct Admission {
    /// Cancelled when the token has changed.
    revoked: CancellationToken,
    /// Cancelled when the address is no longer the interface's.
    closing: CancellationToken,
}

impl Api for Access {
    const NAME: &'static str = "admin";

    const LIFETIME: Duration = Duration::from_secs(60);

    fn takes_body(method: &Method, path: &str) -> bool {
        match *method {
            Method::PATCH => true,
            Method::POST => path == "/tickets" || path.starts_with("/logout/"),
            _ => false,
        }
    }

    /// A probe learns one bit, and an identity provider has a token of its own, which is verified.
    fn is_open(path: &str) -> bool {
        matches!(path, "/healthz" | "/readyz") || path.starts_with("/logout/")
    }

    fn admit(&self, request: &mut Request<Body>, endpoint: &Endpoint) -> Result<(), Refusal> {
        let (path, headers) = (request.uri().path(), request.headers());
        let admission = Admission {
            revoked: self.allow(path, headers, endpoint)?,
            closing: endpoint.closing.clone(),
        };
        request.extensions_mut().insert(admission);
        Ok(())
    }
}

impl Access {
    /// Requires this token from now on, on connections that are open already as well, and ends
    /// the event streams of those who had another.
    pub(super) fn require(&self, token: Option<Secret>) {
        let mut current = self.current.write().unwrap_or_else(PoisonError::into_inner);
        if current.token != token {
            current.revoked.cancel();
            *current = Current {
                token,
                revoked: CancellationToken::new(),
            };
        }
    }

    /// Allows a request, and gives what is cancelled when it would not be allowed any more.
    ///
    /// No page of another site gets in by a browser that it drives, nor anybody without the token
    /// where there is one.
    fn allow(
        &self,
        path: &str,
        headers: &HeaderMap,
        endpoint: &Endpoint,
    ) -> Result<CancellationToken, Refusal> {
        let refuse = |status, sentence| Err(Refusal::new(status, sentence));
        if is_cross_site(headers, &endpoint.scheme) {
            return refuse(
                StatusCode::FORBIDDEN,
                "requests of web pages are not answered",
            );
        }
        let current = self.current.read().unwrap_or_else(PoisonError::into_inner);
        match &current.token {
            _ if Self::is_open(path) => {}
            Some(token) if !bears(headers, token) => {
                return refuse(StatusCode::UNAUTHORIZED, "a bearer token is needed");
            }
            // A foreign name whose DNS points here makes its pages same-origin with us.
            None if endpoint.browsable && !names_this_machine(headers) => {
                return refuse(
                    StatusCode::MISDIRECTED_REQUEST,
                    "Host must be an address or localhost",
                );
            }
            Some(_) | None => {}
        }
        Ok(current.revoked.clone())
    }
}

impl Admission {
    /// Waits for its end.
    pub(super) async fn ended(self) {
        tokio::select! {
            () = self.revoked.cancelled() => {}
            () = self.closing.cancelled() => {}
        }
    }
}

/// Whether a page of another site is behind the request, as far as its browser says so.
fn is_cross_site(headers: &HeaderMap, scheme: &Scheme) -> bool {
    let mut sites = headers.get_all("sec-fetch-site").iter();
    let other_site = sites.any(|site| site != "same-origin" && site != "none");
    let mut origins = headers.get_all(header::ORIGIN).iter();
    let other_origin = origins.any(|origin| {
        let origin = origin
            .to_str()
            .ok()
            .and_then(|origin| origin.strip_prefix(scheme.as_str())?.strip_prefix("://"));
        let host = headers
            .get(header::HOST)
            .and_then(|host| host.to_str().ok());
        origin.is_none() || origin != host
    });
    other_site || other_origin
}

/// Whether the one `Host` is an address or `localhost`, which no page of another site can have.
fn names_this_machine(headers: &HeaderMap) -> bool {
    let mut hosts = headers.get_all(header::HOST).iter();
    let (Some(host), None) = (hosts.next(), hosts.next()) else {
        return false;
    };
    let Ok(authority) = Authority::try_from(host.as_bytes()) else {
        return false;
    };
    if authority.as_str().contains('@') {
        return false;
    }
    let host = authority.host().trim_matches(['[', ']']);
    host.eq_ignore_ascii_case("localhost") || host.parse::<IpAddr>().is_ok()
}

/// Whether the request has the token (RFC 6750 §2.1).
fn bears(headers: &HeaderMap, token: &Secret) -> bool {
    let mut values = headers.get_all(header::AUTHORIZATION).iter();
    let (Some(value), None) = (values.next(), values.next()) else {
        return false;
    };
    let (scheme, given) = match value.as_bytes().split_at_checked(b"Bearer ".len()) {
        Some(parts) => parts,
        None => return false,
    };
    scheme.eq_ignore_ascii_case(b"Bearer ") && same(given, token.expose().as_bytes())
}

/// Compares in a time that tells nothing of where two values differ.
fn same(one: &[u8], other: &[u8]) -> bool {
    let different = one.iter().zip(other).fold(0, |different, (one, other)| {
        black_box(different | (one ^ other))
    });
    one.len() == other.len() && different == 0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_the_same_only_if_all_of_them_is() {
        for (one, other, expected) in [
            ("", "", true),
            ("a", "a", true),
            ("a", "b", false),
            ("a", "ab", false),
            ("", "a", false),
        ] {
            assert_eq!(same(one.as_bytes(), other.as_bytes()), expected);
            assert_eq!(same(other.as_bytes(), one.as_bytes()), expected);
        }
    }
}
