//! One line of a batch.

use data_encoding::BASE64;
use http::StatusCode;
use serde::{Deserialize, Deserializer};
use serde_json::value::RawValue;
use utoipa::ToSchema;

use super::super::access::Publisher;
use super::super::library::{Audience, Body};
use super::super::message::is_key;
use super::super::publications::Order;
use super::super::target::{channel, session};
use crate::server::api::response::Refusal;

/// A line of a batch: one of `channel`, `session` and `subject`, and one of `text`, `json` and `base64`.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::server::publish) struct Line<'a> {
    /// The name of a channel.
    #[serde(default)]
    #[schema(nullable = false)]
    channel: Option<String>,
    /// The name of a session.
    #[serde(default)]
    #[schema(nullable = false)]
    session: Option<String>,
    /// The subject of clients' identities.
    #[serde(default)]
    #[schema(nullable = false)]
    subject: Option<String>,
    /// With `subject`, the name of the issuer of the clients' tokens.
    #[serde(default)]
    #[schema(nullable = false)]
    issuer: Option<String>,
    /// A text message.
    #[serde(default)]
    #[schema(nullable = false)]
    text: Option<String>,
    /// Any value, which is a text message as it is written here.
    #[serde(borrow, default, deserialize_with = "raw")]
    #[schema(value_type = serde_json::Value, required = false)]
    json: Option<&'a RawValue>,
    /// A binary message (RFC 4648 §4).
    #[serde(default)]
    #[schema(nullable = false)]
    base64: Option<String>,
    /// The name of a session that does not get it.
    #[serde(default)]
    #[schema(nullable = false)]
    exclude: Option<String>,
    /// What the header Idempotency-Key is for one publication.
    #[serde(default)]
    #[schema(nullable = false)]
    idempotency_key: Option<String>,
}

const FORM: &str = "the line must be an object with one of `channel`, `session` and `subject`, one of `text`, `json` and \
                    `base64`, and if you like `issuer` (of a subject), `exclude` and `idempotency_key`";

impl<'a> Line<'a> {
    pub(super) fn read(line: &'a [u8]) -> Result<Self, Refusal> {
        // serde's own sentence repeats what the client wrote.
        serde_json::from_slice(line).map_err(|error| match error.is_data() {
            true => wrong(FORM),
            false => wrong(&format!("the line is not JSON (column {})", error.column())),
        })
    }

    /// What it publishes, if the token allows that.
    pub(super) fn order(
        self,
        publisher: &Publisher,
        message_size: usize,
    ) -> Result<Order, Refusal> {
        let exclude = self.exclude.as_deref().map(session).transpose()?;
        let key = self.idempotency_key;
        if !key.as_deref().is_none_or(is_key) {
            let problem = "`idempotency_key` is 1 to 255 visible characters of ASCII";
            return Err(wrong(problem));
        }
        let audience = match (self.channel, self.session, self.subject, self.issuer) {
            (Some(name), None, None, None) => {
                let name = channel(&name)?;
                publisher.require_channel(&name)?;
                Audience::Channel(name)
            }
            (None, Some(name), None, None) => {
                publisher.require_direct()?;
                Audience::Session(session(&name)?)
            }
            (None, None, Some(subject), issuer) => {
                publisher.require_direct()?;
                Audience::Subject { subject, issuer }
            }
            _ => return Err(wrong(FORM)),
        };
        let message: Body = match (self.text, self.json, self.base64) {
            (Some(text), None, None) => text.into(),
            (None, Some(json), None) => json.get().into(),
            (None, None, Some(text)) => match BASE64.decode(text.as_bytes()) {
                Ok(bytes) => Body::Binary(bytes.into()),
                Err(_) => return Err(wrong("`base64` is not Base64 (RFC 4648 §4)")),
            },
            _ => return Err(wrong(FORM)),
        };
        if message.as_bytes().len() > message_size {
            let problem = format!("the message has more than {message_size} bytes");
            return Err(Refusal::new(StatusCode::PAYLOAD_TOO_LARGE, problem));
        }
        Ok(Order {
            audience,
            message,
            exclude,
            idempotency_key: key,
        })
    }
}

fn wrong(problem: &str) -> Refusal {
    Refusal::new(StatusCode::BAD_REQUEST, problem)
}

/// Null is a value like any other.
fn raw<'de, D: Deserializer<'de>>(value: D) -> Result<Option<&'de RawValue>, D::Error> {
    <&RawValue>::deserialize(value).map(Some)
}
