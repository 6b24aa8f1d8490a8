//! `Max-Forwards`: how many hops are left of a TRACE or an OPTIONS (RFC 9110 §7.6.2).

use http::{HeaderValue, Method, header};

use crate::rejection::Rejection;
use crate::request::{Handshake, only};

/// What goes on in the place of the received value; `None` where the header is not looked at.
///
/// # Errors
/// [`Rejection::MaxForwards`] where the request ends here, and [`Rejection::Header`] where nobody can
/// say whether it does.
pub(super) fn decrement(handshake: &Handshake) -> Result<Option<HeaderValue>, Rejection> {
    let (method, headers) = (handshake.method(), handshake.headers());
    // With any other method the header may be ignored, and goes on as it is.
    if ![Method::TRACE, Method::OPTIONS].contains(method)
        || !headers.contains_key(header::MAX_FORWARDS)
    {
        return Ok(None);
    }
    let value = only(headers, &header::MAX_FORWARDS)
        .ok_or(Rejection::Header)?
        .as_bytes();
    if value.is_empty() || !value.iter().all(u8::is_ascii_digit) {
        return Err(Rejection::Header);
    }
    let received = std::str::from_utf8(value).map_err(|_| Rejection::Header)?;
    // More hops than a number has room for are as many as it has.
    let left = received.parse().unwrap_or(u32::MAX);
    match left.checked_sub(1) {
        Some(left) => Ok(Some(HeaderValue::from(left))),
        None => Err(Rejection::MaxForwards(method.clone())),
    }
}

#[cfg(test)]
mod tests {
    use http::Request;
    use rstest::rstest;

    use super::*;
    use crate::config::Route;
    use crate::handshake::fixtures::{Caller, PEER, plain, route, setting};
    use crate::handshake::plain_request_headers;

    /// What goes upstream of a request with these values.
    fn sent(method: &str, values: &[&str]) -> Result<Vec<String>, Rejection> {
        sent_on(&route(), method, values)
    }

    fn sent_on(route: &Route, method: &str, values: &[&str]) -> Result<Vec<String>, Rejection> {
        let mut request = Request::builder().method(method).uri("/rooms/42");
        request = request.header("host", "a.test");
        for value in values {
            request = request.header(header::MAX_FORWARDS, *value);
        }
        let parts = request.body(()).unwrap().into_parts().0;
        let handshake = plain(&parts, route, Caller::stranger(PEER));
        let headers = plain_request_headers(&handshake)?;
        let values = headers.get_all(header::MAX_FORWARDS).iter();
        Ok(values
            .map(|value| value.to_str().unwrap().to_owned())
            .collect())
    }

    #[rstest]
    #[case("10", "9")]
    #[case("1", "0")]
    #[case("007", "6")]
    #[case("4294967295", "4294967294")]
    #[case("99999999999999999999", "4294967294")]
    fn each_hop_takes_one(#[case] received: &str, #[case] expected: &str) {
        for method in ["TRACE", "OPTIONS"] {
            assert_eq!(sent(method, &[received]).unwrap(), [expected], "{method}");
        }
    }

    #[test]
    fn the_last_hop_sends_nothing_on() {
        for method in [Method::TRACE, Method::OPTIONS] {
            // Nor where the route sets another.
            for route in [route(), setting("max-forwards", "5")] {
                for zero in ["0", "000"] {
                    let ended = sent_on(&route, method.as_str(), &[zero]);
                    assert_eq!(ended, Err(Rejection::MaxForwards(method.clone())));
                }
            }
        }
    }

    #[rstest]
    #[case(&[""])]
    #[case(&["-1"])]
    #[case(&["+1"])]
    #[case(&["1, 1"])]
    #[case(&["one"])]
    #[case(&["1", "1"])]
    fn what_is_no_number_is_refused(#[case] values: &[&str]) {
        for method in ["TRACE", "OPTIONS"] {
            assert_eq!(sent(method, values), Err(Rejection::Header), "{method}");
        }
    }

    #[test]
    fn other_methods_and_requests_without_it_are_left_alone() {
        for value in ["0", "1", "x"] {
            assert_eq!(sent("GET", &[value]).unwrap(), [value]);
        }
        assert_eq!(sent("OPTIONS", &[]).unwrap(), [""; 0]);
        let sets = setting("max-forwards", "5");
        assert_eq!(sent_on(&sets, "OPTIONS", &["2"]).unwrap(), ["5"]);
    }
}
