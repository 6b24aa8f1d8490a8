//! Which request is whose: the one table of what the interface answers to.

use std::pin::Pin;

use http::{HeaderValue, Method, StatusCode, Uri, header};
use tokio_util::sync::CancellationToken;

use super::answer::{Answer, error};
use super::query::{BadQuery, Query};
use super::{AdminService, drain, events, openapi, probes, reload, sessions, settings, upstreams};

/// A method on a path.
pub(super) struct Endpoint {
    pub(super) method: Method,
    /// A segment in braces stands for any one segment.
    pub(super) path: &'static str,
    pub(super) keys: Keys,
    pub(super) work: Work,
}

/// What the query of a request may hold.
#[derive(Clone, Copy, Debug)]
pub(super) enum Keys {
    /// Whatever it likes, because nobody looks: a load balancer may write what it wants there.
    Any,
    /// These.
    Only(&'static [&'static str]),
}

/// Who makes an answer.
#[derive(Clone, Copy)]
pub(super) enum Work {
    /// At once, while nobody else's is made.
    Now(fn(&AdminService, &Asked<'_>) -> Result<Answer, BadQuery>),
    /// After a wait, in which others have their turn.
    Later(fn(AdminService) -> Pin<Box<dyn Future<Output = Answer> + Send>>),
}

/// What a request says beyond its method and path.
pub(super) struct Asked<'a> {
    /// The segments that stand where the path has braces, as they were written.
    pub(super) segments: Vec<&'a str>,
    pub(super) query: Query,
    /// Cancelled when whoever was let in with this request would have to be asked again.
    pub(super) let_in: CancellationToken,
}

/// Why nobody answers a request.
#[derive(Debug)]
pub(super) enum Refused {
    Path,
    /// The path is known, with these methods.
    Method(Vec<&'static str>),
    Query(BadQuery),
}

const SESSIONS: Keys = Keys::Only(&["route", "client", "upstream", "limit", "after"]);
const CLOSE_SESSIONS: Keys = Keys::Only(&["route", "client", "upstream", "all", "code", "reason"]);
const CLOSE: Keys = Keys::Only(&["code", "reason"]);
const DRAIN_SERVER: Keys = Keys::Only(&["close", "over"]);
const EVENTS: Keys = Keys::Only(&["route", "kind"]);
const NONE: Keys = Keys::Only(&[]);

/// Everything, in the order of the documentation.
pub(super) static ENDPOINTS: &[Endpoint] = &[
    now(Method::GET, "/healthz", Keys::Any, |_, _| {
        Ok(probes::alive())
    }),
    now(Method::GET, "/readyz", Keys::Any, |admin, _| {
        Ok(probes::ready(admin))
    }),
    now(Method::GET, "/metrics", Keys::Any, |admin, _| {
        Ok(probes::metrics(admin))
    }),
    now(Method::GET, "/sessions", SESSIONS, sessions::list),
    now(
        Method::DELETE,
        "/sessions",
        CLOSE_SESSIONS,
        sessions::close_selected,
    ),
    now(Method::DELETE, "/sessions/{id}", CLOSE, sessions::close),
    now(Method::GET, "/upstreams", NONE, |admin, _| {
        Ok(upstreams::list(admin))
    }),
    now(
        Method::POST,
        "/upstreams/{name}/{server}/drain",
        DRAIN_SERVER,
        upstreams::drain,
    ),
    now(
        Method::POST,
        "/upstreams/{name}/{server}/resume",
        NONE,
        |admin, asked| Ok(upstreams::resume(admin, asked)),
    ),
    now(Method::GET, "/events", EVENTS, events::stream),
    now(Method::GET, "/config", NONE, |admin, _| {
        Ok(settings::show(admin))
    }),
    now(Method::POST, "/drain", NONE, |admin, _| {
        Ok(drain::drain(admin))
    }),
    now(Method::GET, "/openapi.json", NONE, |_, _| {
        Ok(openapi::document())
    }),
    later(Method::POST, "/reload", NONE, |admin| {
        Box::pin(reload::reload(admin))
    }),
];

const fn now(
    method: Method,
    path: &'static str,
    keys: Keys,
    make: fn(&AdminService, &Asked<'_>) -> Result<Answer, BadQuery>,
) -> Endpoint {
    Endpoint {
        method,
        path,
        keys,
        work: Work::Now(make),
    }
}

const fn later(
    method: Method,
    path: &'static str,
    keys: Keys,
    make: fn(AdminService) -> Pin<Box<dyn Future<Output = Answer> + Send>>,
) -> Endpoint {
    Endpoint {
        method,
        path,
        keys,
        work: Work::Later(make),
    }
}

/// Finds who answers this.
pub(super) fn find<'a>(
    method: &Method,
    uri: &'a Uri,
    let_in: CancellationToken,
) -> Result<(&'static Endpoint, Asked<'a>), Refused> {
    let mut allowed = Vec::new();
    for endpoint in ENDPOINTS {
        let Some(segments) = segments(endpoint.path, uri.path()) else {
            continue;
        };
        if endpoint.takes(method) {
            let query = match endpoint.keys {
                Keys::Any => Query::default(),
                Keys::Only(keys) => Query::read(uri.query(), keys).map_err(Refused::Query)?,
            };
            let asked = Asked {
                segments,
                query,
                let_in,
            };
            return Ok((endpoint, asked));
        }
        allowed.push(endpoint.method.as_str());
    }
    Err(match allowed.is_empty() {
        true => Refused::Path,
        false => Refused::Method(allowed),
    })
}

impl Endpoint {
    /// A HEAD is a GET, of whose answer hyper leaves the body out.
    fn takes(&self, method: &Method) -> bool {
        self.method == *method || (self.method == Method::GET && *method == Method::HEAD)
    }
}

impl Refused {
    pub(super) fn answer(&self) -> Answer {
        match self {
            Self::Path => error(StatusCode::NOT_FOUND, "no such resource"),
            Self::Method(allowed) => {
                let mut refusal = error(StatusCode::METHOD_NOT_ALLOWED, "wrong method");
                if let Ok(allow) = HeaderValue::from_str(&allowed.join(", ")) {
                    refusal.headers_mut().insert(header::ALLOW, allow);
                }
                refusal
            }
            Self::Query(bad) => error(StatusCode::BAD_REQUEST, &bad.to_string()),
        }
    }
}

/// What stands in the path where the pattern has braces, if the path is of the pattern.
fn segments<'a>(pattern: &str, path: &'a str) -> Option<Vec<&'a str>> {
    let (mut wanted, mut given) = (pattern.split('/'), path.split('/'));
    let mut found = Vec::new();
    loop {
        match (wanted.next(), given.next()) {
            (None, None) => return Some(found),
            (Some(any), Some(segment)) if any.starts_with('{') && !segment.is_empty() => {
                found.push(segment);
            }
            (Some(one), Some(segment)) if one == segment => {}
            _ => return None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_is_of_a_pattern_segment_by_segment() {
        for (pattern, path, expected) in [
            ("/sessions", "/sessions", Some(vec![])),
            ("/sessions", "/sessions/", None),
            ("/sessions", "/session", None),
            ("/sessions/{id}", "/sessions/7", Some(vec!["7"])),
            ("/sessions/{id}", "/sessions/", None),
            ("/sessions/{id}", "/sessions/7/", None),
            ("/a/{b}/{c}/d", "/a/x%2Fy/z/d", Some(vec!["x%2Fy", "z"])),
            ("/a/{b}/{c}/d", "/a/x/y/z/d", None),
        ] {
            assert_eq!(segments(pattern, path), expected, "{path} of {pattern}");
        }
    }
}
