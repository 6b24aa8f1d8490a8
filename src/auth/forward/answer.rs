//! What an authentication server has decided.

use bytes::Bytes;
use http::{HeaderMap, HeaderName, Response, StatusCode};

use crate::client::ClientError;
use crate::rejection::Denial;
use crate::request::{describe_own_body, keep_end_to_end};

/// What a server has decided.
#[derive(Debug)]
pub(super) enum Verdict {
    /// With these headers.
    Allowed(HeaderMap),
    Refused(Denial),
}

/// Why a server has decided nothing.
#[derive(Debug, thiserror::Error)]
pub(super) enum AuthError {
    #[error("there is no answer")]
    Client(#[from] ClientError),
    #[error("the answer is {0}, which neither lets in nor refuses")]
    Status(StatusCode),
    #[error("the header {0} of the answer names no subject, or several")]
    Subject(HeaderName),
    #[error("too many questions are open")]
    Busy,
}

/// The longest body of a refusal that is passed on.
const LONGEST: usize = 64 * 1024;

/// The word for the log.
const REASON: &str = "access_denied";

/// How much of a body is read: of a refusal, which goes to the client.
pub(super) fn body_limit(status: StatusCode) -> usize {
    match status {
        StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => LONGEST,
        _ => 0,
    }
}

impl Verdict {
    /// # Errors
    /// [`AuthError::Status`] for a status that decides nothing.
    pub(super) fn of(answer: Response<Option<Bytes>>) -> Result<Self, AuthError> {
        let (parts, body) = answer.into_parts();
        match parts.status {
            status if status.is_success() => Ok(Self::Allowed(parts.headers)),
            status @ (StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN) => {
                Ok(Self::Refused(refusal(status, parts.headers, body)))
            }
            // To a page that asks for a login: no client of a WebSocket follows it.
            status if status.is_redirection() => Ok(Self::Refused(Denial::unauthorized(REASON))),
            status => Err(AuthError::Status(status)),
        }
    }
}

/// The server's own answer, with a sentence of ours where its body is too long.
fn refusal(status: StatusCode, mut headers: HeaderMap, body: Option<Bytes>) -> Denial {
    keep_end_to_end(&mut headers);
    let denial = match status {
        StatusCode::UNAUTHORIZED => Denial::new(status, REASON).with_message("this needs a login"),
        _ => Denial::new(status, REASON),
    };
    match body {
        Some(body) => denial.with_headers(headers).with_body(body),
        None => {
            describe_own_body(&mut headers);
            denial.with_headers(headers)
        }
    }
}
