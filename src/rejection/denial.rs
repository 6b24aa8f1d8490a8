//! A refusal in the words of an embedder's policy.

use std::borrow::Cow;
use std::fmt;
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};

/// How a policy of the embedder's refuses a request: [`Rejection::Denied`](super::Rejection::Denied).
///
/// ```
/// use wsgate::{Denial, Rejection};
///
/// let rejection = Rejection::from(Denial::unauthorized("token_expired"));
/// assert_eq!(rejection.status(), 401);
/// assert_eq!(rejection.reason(), "token_expired");
/// ```
#[derive(Clone, PartialEq, Eq)]
pub struct Denial {
    pub(super) status: StatusCode,
    pub(super) reason: &'static str,
    pub(super) message: Cow<'static, str>,
    pub(super) body: Option<Bytes>,
    pub(super) headers: HeaderMap,
    pub(super) retry_after: Option<Duration>,
}

impl Denial {
    /// A denial with this status; `reason` is the word for logs and metrics, in the style of
    /// `token_expired`. A status that refuses nothing (below 400) becomes 403.
    pub fn new(status: StatusCode, reason: &'static str) -> Self {
        let refuses = status.is_client_error() || status.is_server_error();
        Self {
            status: if refuses {
                status
            } else {
                StatusCode::FORBIDDEN
            },
            reason,
            message: Cow::Borrowed("this request is not allowed"),
            body: None,
            headers: HeaderMap::new(),
            retry_after: None,
        }
    }

    /// 401, with the challenge `Bearer` that such an answer owes (RFC 9110 §11.6.1): the client
    /// has not shown who it is.
    pub fn unauthorized(reason: &'static str) -> Self {
        let challenge = HeaderValue::from_static("Bearer");
        Self::new(StatusCode::UNAUTHORIZED, reason)
            .with_header(header::WWW_AUTHENTICATE, challenge)
            .with_message("this needs a login")
    }

    /// 403: the client is known, and not allowed.
    pub fn forbidden(reason: &'static str) -> Self {
        Self::new(StatusCode::FORBIDDEN, reason)
    }

    /// The sentence in the answer's body, for a person. It is shown to strangers.
    #[must_use]
    pub fn with_message(mut self, message: impl Into<Cow<'static, str>>) -> Self {
        self.message = message.into();
        self
    }

    /// A body in the place of the sentence. `Content-Type` is for [`Denial::with_header`] to say.
    #[must_use]
    pub fn with_body(mut self, body: impl Into<Bytes>) -> Self {
        self.body = Some(body.into());
        self
    }

    /// A header of the answer; one of the same name takes its place. Headers of the connection and
    /// of the body (`Connection`, `Content-Length`, `Transfer-Encoding`, `Upgrade`) belong to the
    /// gate and are left out.
    #[must_use]
    pub fn with_header(mut self, name: HeaderName, value: HeaderValue) -> Self {
        if !OWNED.contains(&name) {
            self.headers.insert(name, value);
        }
        self
    }

    /// Headers of another server's answer, as it has repeated them; the same are left out.
    #[allow(dead_code, reason = "only authentication uses it")]
    pub(crate) fn with_headers(mut self, mut headers: HeaderMap) -> Self {
        for owned in &OWNED {
            headers.remove(owned);
        }
        self.headers.extend(headers);
        self
    }

    /// When to try again, as `Retry-After` says it in whole seconds.
    #[must_use]
    pub fn with_retry_after(mut self, wait: Duration) -> Self {
        self.retry_after = Some(wait);
        self
    }
}

/// What a refusal says of its connection and its body.
const OWNED: [HeaderName; 4] = [
    header::CONNECTION,
    header::CONTENT_LENGTH,
    header::TRANSFER_ENCODING,
    header::UPGRADE,
];

/// The headers stay out: a cookie may be among them.
impl fmt::Debug for Denial {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Denial")
            .field("status", &self.status)
            .field("reason", &self.reason)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use http_body_util::BodyExt;

    use super::*;
    use crate::rejection::Rejection;

    #[test]
    fn a_denial_refuses_with_its_own_headers_and_closes_the_connection() {
        let denial = Denial::new(StatusCode::OK, "no")
            .with_header(header::CONNECTION, HeaderValue::from_static("keep-alive"))
            .with_header(header::SET_COOKIE, HeaderValue::from_static("canary=1"));
        assert!(!format!("{denial:?}").contains("canary"));
        let response = Rejection::from(denial).into_response();
        assert_eq!(response.status(), 403);
        assert_eq!(response.headers()[header::CONNECTION], "close");
        assert_eq!(response.headers()[header::SET_COOKIE], "canary=1");
    }

    #[tokio::test]
    async fn a_denial_may_repeat_another_servers_answer() {
        let headers = [
            (header::SET_COOKIE, "a=1"),
            (header::SET_COOKIE, "b=2"),
            (header::CONTENT_LENGTH, "7"),
            (header::CONTENT_TYPE, "text/html"),
        ];
        let headers = headers.map(|(name, value)| (name, HeaderValue::from_static(value)));
        let denial = Denial::new(StatusCode::UNAUTHORIZED, "no")
            .with_headers(HeaderMap::from_iter(headers))
            .with_body("<p>no</p>");
        let response = Rejection::from(denial).into_response();
        let cookies = response.headers().get_all(header::SET_COOKIE);
        assert_eq!(Vec::from_iter(cookies), ["a=1", "b=2"]);
        assert_eq!(response.headers()[header::CONTENT_TYPE], "text/html");
        assert!(!response.headers().contains_key(header::CONTENT_LENGTH));
        let body = response.into_body().collect().await.unwrap();
        assert_eq!(body.to_bytes(), "<p>no</p>");

        let bare = Rejection::from(Denial::forbidden("no").with_body("x")).into_response();
        assert!(!bare.headers().contains_key(header::CONTENT_TYPE));
    }
}
