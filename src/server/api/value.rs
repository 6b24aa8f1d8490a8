//! The forms of values in a query, for `deserialize_with`.

use std::str::FromStr;
use std::time::Duration;

use serde::de::{Deserialize, Deserializer, Error};

use super::library::{
    ChannelName, CloseCode, MAX_REASON, Network, SessionName, parse_duration, parse_network,
};

/// A name of the settings.
pub(crate) fn name<'de, D: Deserializer<'de>>(value: D) -> Result<Option<String>, D::Error> {
    must_be("a name", value, |name| {
        (!name.is_empty()).then(|| Some(name.to_owned()))
    })
}

/// `true` or `false`.
pub(crate) fn flag<'de, D: Deserializer<'de>>(value: D) -> Result<bool, D::Error> {
    must_be("true or false", value, |flag| flag.parse().ok())
}

/// The id of a session.
pub(crate) fn session<'de, D: Deserializer<'de>>(value: D) -> Result<u64, D::Error> {
    must_be("the id of a session", value, whole_number)
}

/// The name of a session among all gates, where there may be one.
pub(crate) fn session_name<'de, D: Deserializer<'de>>(
    value: D,
) -> Result<Option<SessionName>, D::Error> {
    must_be("the name of a session", value, |name| {
        name.parse().ok().map(Some)
    })
}

/// The name of a channel, where there may be one.
pub(crate) fn channel<'de, D: Deserializer<'de>>(
    value: D,
) -> Result<Option<ChannelName>, D::Error> {
    must_be("the name of a channel", value, |name| {
        name.parse().ok().map(Some)
    })
}

/// How many sessions a page has.
pub(crate) fn page_size<'de, D: Deserializer<'de>>(value: D) -> Result<usize, D::Error> {
    must_be("a number from 1 to 1000", value, |number| {
        whole_number(number).filter(|number| (1..=1000).contains(number))
    })
}

/// An address, or a network of them.
pub(crate) fn network<'de, D: Deserializer<'de>>(value: D) -> Result<Option<Network>, D::Error> {
    let form = "an address, or a network such as `10.0.0.0/8` without bits behind its prefix";
    must_be(form, value, |network| parse_network(network).ok().map(Some))
}

/// A duration in the form of the settings, such as `10s`.
pub(crate) fn duration<'de, D: Deserializer<'de>>(value: D) -> Result<Option<Duration>, D::Error> {
    let form = "a duration such as `10s`, and no longer than a year";
    must_be(form, value, |duration| parse_duration(duration).map(Some))
}

/// A close code that may be sent.
pub(crate) fn close_code<'de, D: Deserializer<'de>>(value: D) -> Result<CloseCode, D::Error> {
    let form = "1000 to 1003, 1007 to 1014 or 3000 to 4999";
    must_be(form, value, |code| {
        whole_number(code).and_then(CloseCode::new)
    })
}

/// The same where there need not be one.
pub(crate) fn optional_close_code<'de, D: Deserializer<'de>>(
    value: D,
) -> Result<Option<CloseCode>, D::Error> {
    close_code(value).map(Some)
}

/// The reason of a close frame.
pub(crate) fn close_reason<'de, D: Deserializer<'de>>(value: D) -> Result<String, D::Error> {
    must_be("at most 123 bytes long", value, |reason| {
        (reason.len() <= MAX_REASON).then(|| reason.to_owned())
    })
}

/// The same where there need not be one.
pub(crate) fn optional_close_reason<'de, D: Deserializer<'de>>(
    value: D,
) -> Result<Option<String>, D::Error> {
    close_reason(value).map(Some)
}

fn must_be<'de, D: Deserializer<'de>, T>(
    form: &str,
    value: D,
    parse: impl FnOnce(&str) -> Option<T>,
) -> Result<T, D::Error> {
    let value = String::deserialize(value)?;
    parse(&value).ok_or_else(|| D::Error::custom(format_args!(" must be {form}")))
}

/// Digits alone, without a sign.
fn whole_number<T: FromStr>(text: &str) -> Option<T> {
    let digits = text.bytes().all(|byte| byte.is_ascii_digit());
    digits.then(|| text.parse().ok()).flatten()
}
