//! What a request publishes, and how often.

use axum::body::Body as RequestBody;
use axum::extract::{FromRequest, FromRequestParts, Request};
use bytes::Bytes;
use http::request::Parts;
use http::{HeaderMap, HeaderValue, StatusCode, header};

use super::library::Body;
use crate::server::api::body::bytes_of;
use crate::server::api::response::Refusal;

/// The message of a publication, which is the body of its request.
pub(super) struct Message(pub(super) Body);

/// The value of `Idempotency-Key`, if there is one.
pub(super) struct IdempotencyKey(pub(super) Option<String>);

/// The kinds of messages (RFC 6455 §5.6).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Text,
    Binary,
}

/// The bytes that an idempotency key may have.
const LONGEST_KEY: usize = 255;

impl<S: Sync> FromRequest<S> for Message {
    type Rejection = Refusal;

    async fn from_request(request: Request, _state: &S) -> Result<Self, Refusal> {
        let (head, body) = request.into_parts();
        let kind = kind(&head.headers)?;
        message(kind, read(body).await?).map(Self)
    }
}

impl<S: Sync> FromRequestParts<S> for IdempotencyKey {
    type Rejection = Refusal;

    async fn from_request_parts(head: &mut Parts, _state: &S) -> Result<Self, Refusal> {
        let mut values = head.headers.get_all("idempotency-key").iter();
        let key = match (values.next(), values.next()) {
            (None, _) => return Ok(Self(None)),
            (Some(value), None) => value.to_str().ok().filter(|key| is_key(key)),
            (Some(_), Some(_)) => None,
        };
        let problem = "Idempotency-Key is one value of 1 to 255 visible characters of ASCII";
        let wrong = || Refusal::new(StatusCode::BAD_REQUEST, problem);
        Ok(Self(Some(key.ok_or_else(wrong)?.to_owned())))
    }
}

/// Whether a text can be an idempotency key.
pub(super) fn is_key(text: &str) -> bool {
    (1..=LONGEST_KEY).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_graphic())
}

/// It has been read already, within the bound of the settings.
async fn read(body: RequestBody) -> Result<Bytes, Refusal> {
    bytes_of(body, usize::MAX).await
}

fn message(kind: Kind, body: Bytes) -> Result<Body, Refusal> {
    if kind == Kind::Binary {
        return Ok(Body::Binary(body));
    }
    match body.try_into() {
        Ok(text) => Ok(Body::Text(text)),
        Err(_not_utf8) => {
            let problem = "the body is not UTF-8, as a text is: for a binary message send \
                           Content-Type: application/octet-stream";
            Err(Refusal::new(StatusCode::BAD_REQUEST, problem))
        }
    }
}

/// The kind of the message by the type of the body.
fn kind(headers: &HeaderMap) -> Result<Kind, Refusal> {
    let refuse = |problem| Err(Refusal::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, problem));
    let mut codings = headers.get_all(header::CONTENT_ENCODING).iter();
    if codings.any(|coding| !coding.as_bytes().eq_ignore_ascii_case(b"identity")) {
        return refuse("the body must not have a Content-Encoding");
    }
    let mut types = headers.get_all(header::CONTENT_TYPE).iter();
    let kind = match (types.next(), types.next()) {
        (None, _) => Some(Kind::Text),
        (Some(value), None) => media_type(value).map(|media| kind_of(&media)),
        (Some(_), Some(_)) => None,
    };
    match kind {
        Some(kind) => Ok(kind),
        None => refuse("Content-Type is not one media type such as application/json"),
    }
}

/// The type of a body without its parameters, in lower case; `None` if it is none (RFC 9110 §8.3.1).
pub(super) fn media_type(value: &HeaderValue) -> Option<String> {
    let media = value.to_str().ok()?.split(';').next()?.trim();
    let (main, sub) = media.split_once('/')?;
    let is_token = |text: &str| {
        let of_token =
            |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte);
        !text.is_empty() && text.bytes().all(of_token)
    };
    (is_token(main) && is_token(sub)).then(|| media.to_ascii_lowercase())
}

fn kind_of(media: &str) -> Kind {
    let is_text = media.starts_with("text/")
        || media.ends_with("+json")
        || media.ends_with("+xml")
        || matches!(
            media,
            "application/json" | "application/xml" | "application/x-www-form-urlencoded"
        );
    match is_text {
        true => Kind::Text,
        false => Kind::Binary,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kind_of_header(value: &'static str) -> Option<Kind> {
        let mut headers = HeaderMap::new();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(value));
        kind(&headers).ok()
    }

    #[test]
    fn the_type_of_the_body_is_the_kind_of_the_message() {
        for (value, expected) in [
            ("text/plain", Some(Kind::Text)),
            ("Text/HTML; charset=utf-8", Some(Kind::Text)),
            ("application/json", Some(Kind::Text)),
            ("application/problem+json ; a=b", Some(Kind::Text)),
            ("image/svg+xml", Some(Kind::Text)),
            ("application/xml", Some(Kind::Text)),
            ("application/x-www-form-urlencoded", Some(Kind::Text)),
            ("application/octet-stream", Some(Kind::Binary)),
            ("application/jsonish", Some(Kind::Binary)),
            ("image/png", Some(Kind::Binary)),
            ("", None),
            ("json", None),
            ("application/", None),
            ("a/b/c", None),
            ("text/plain, text/html", None),
        ] {
            assert_eq!(kind_of_header(value), expected, "{value}");
        }
        assert_eq!(kind(&HeaderMap::new()).ok(), Some(Kind::Text));
    }

    #[test]
    fn a_compressed_body_is_not_published() {
        let mut headers = HeaderMap::new();
        headers.insert(header::CONTENT_ENCODING, HeaderValue::from_static("gzip"));
        assert!(kind(&headers).is_err());
        headers.insert(
            header::CONTENT_ENCODING,
            HeaderValue::from_static("Identity"),
        );
        assert!(kind(&headers).is_ok());
    }

    #[test]
    fn a_key_is_visible_ascii() {
        for (key, expected) in [
            ("a", true),
            ("\"8e03978e-40d5\"", true),
            ("", false),
            ("a b", false),
            ("ä", false),
        ] {
            assert_eq!(is_key(key), expected, "{key}");
        }
        assert!(is_key(&"k".repeat(255)));
        assert!(!is_key(&"k".repeat(256)));
    }
}
