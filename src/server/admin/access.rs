//! Who may use the interface.

use std::net::IpAddr;
use std::sync::{PoisonError, RwLock};
use std::time::Duration;

use http::request::Parts;
use http::uri::{Authority, Scheme};
use http::{HeaderMap, Method, StatusCode, header};
use tokio_util::sync::CancellationToken;

use super::library::Secret;
use crate::server::api::bearer::{bearer, is_same};
use crate::server::api::definition::{Api, BodyUse, Endpoint};
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
pub(crate) struct Admission {
    /// Cancelled when the token has changed.
    revoked: CancellationToken,
    /// Cancelled when the address is no longer the interface's.
    closing: CancellationToken,
}

impl Api for Access {
    const NAME: &'static str = "admin";

    const LIFETIME: Option<Duration> = Some(Duration::from_secs(60));

    const HEAD_TIMEOUT: Duration = Duration::from_secs(10);

    /// An answer may be as long as the list of all sessions: there is a pause behind each.
    const SLICE: Duration = Duration::ZERO;

    type Client = Admission;

    fn body_use(&self, method: &Method, path: &str) -> BodyUse {
        match *method {
            Method::PATCH => BodyUse::Handler,
            Method::POST if path == "/tickets" || path.starts_with("/logout/") => BodyUse::Handler,
            _ => BodyUse::Unread,
        }
    }

    /// A probe learns one bit, and an identity provider has a token of its own, which is verified.
    fn is_open(path: &str) -> bool {
        matches!(path, "/healthz" | "/readyz") || path.starts_with("/logout/")
    }

    fn admit(&self, head: &Parts, endpoint: &Endpoint) -> Result<Admission, Refusal> {
        Ok(Admission {
            revoked: self.allow(head.uri.path(), &head.headers, endpoint)?,
            closing: endpoint.closing.clone(),
        })
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
            Some(token) if !bearer(headers).is_some_and(|given| is_same(given, token)) => {
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
