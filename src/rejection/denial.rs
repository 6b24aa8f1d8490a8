//! A refusal in the words of an embedder's policy.

use std::borrow::Cow;
use std::time::Duration;

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
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Denial {
    pub(super) status: StatusCode,
    pub(super) reason: &'static str,
    pub(super) message: Cow<'static, str>,
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

    /// 403: the client is known, and not let in.
    pub fn forbidden(reason: &'static str) -> Self {
        Self::new(StatusCode::FORBIDDEN, reason)
    }

    /// The sentence in the answer's body, for a person. It is shown to strangers.
    #[must_use]
    pub fn with_message(mut self, message: impl Into<Cow<'static, str>>) -> Self {
        self.message = message.into();
        self
    }

    /// A header of the answer; one of the same name takes its place.
    #[must_use]
    pub fn with_header(mut self, name: HeaderName, value: HeaderValue) -> Self {
        self.headers.insert(name, value);
        self
    }

    /// When to try again, as `Retry-After` says it in whole seconds.
    #[must_use]
    pub fn with_retry_after(mut self, wait: Duration) -> Self {
        self.retry_after = Some(wait);
        self
    }
}
