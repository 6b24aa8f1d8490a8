//! The host that a client has asked a trusted proxy for.

use http::{HeaderMap, HeaderName, header};

use super::client::{ClientIdentity, OWS, element_parameter, split_last};
use crate::config::{ClientIp, ForwardingHeader};
use crate::rejection::Rejection;

/// What a trusted proxy says of the host, where the settings believe it; `None` where it says
/// nothing.
///
/// Of `Forwarded` the last element counts, which is the proxy's own: what stands to the left of it
/// may have been written by the client (RFC 7239 §8.1). `X-Forwarded-Host` has one value: a proxy that
/// appended to the client's would leave no saying which one is whose.
///
/// # Errors
/// [`Rejection::Header`] where there is more than one value, or none that can be read.
pub(crate) fn forwarded_host<'a>(
    client: &ClientIdentity,
    headers: &'a HeaderMap,
    settings: &ClientIp,
) -> Result<Option<&'a str>, Rejection> {
    match client.trusted.filter(|_| settings.forwarded_host) {
        None => Ok(None),
        Some(ForwardingHeader::XForwardedFor) => only_value(headers),
        Some(ForwardingHeader::Forwarded) => host_of_last_element(headers),
    }
}

/// The header in which a proxy that speaks in this one names the host.
pub(crate) fn name(header: ForwardingHeader) -> HeaderName {
    match header {
        ForwardingHeader::XForwardedFor => X_FORWARDED_HOST,
        ForwardingHeader::Forwarded => header::FORWARDED,
    }
}

const X_FORWARDED_HOST: HeaderName = HeaderName::from_static("x-forwarded-host");

fn only_value(headers: &HeaderMap) -> Result<Option<&str>, Rejection> {
    let mut lines = headers.get_all(X_FORWARDED_HOST).iter();
    match (lines.next(), lines.next()) {
        (None, _) => Ok(None),
        (Some(line), None) => line.to_str().map(Some).map_err(|_| Rejection::Header),
        (Some(_), Some(_)) => Err(Rejection::Header),
    }
}

fn host_of_last_element(headers: &HeaderMap) -> Result<Option<&str>, Rejection> {
    let Some(line) = headers.get_all(header::FORWARDED).iter().next_back() else {
        return Ok(None);
    };
    let (_, element) = split_last(line.as_bytes(), ForwardingHeader::Forwarded);
    let element = std::str::from_utf8(element).map_err(|_| Rejection::Header)?;
    element_parameter(element.trim_matches(OWS), "host").map_err(|_| Rejection::Header)
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;
    use rstest::rstest;

    use super::*;
    use crate::types::ClientAddr;

    fn found(
        header: ForwardingHeader,
        is_trusted: bool,
        lines: &[&str],
    ) -> Result<Option<String>, Rejection> {
        let line = |line: &&str| (name(header), HeaderValue::from_str(line).unwrap());
        let headers: HeaderMap = lines.iter().map(line).collect();
        let client = ClientIdentity {
            ip: "192.0.2.1".parse().unwrap(),
            peer: ClientAddr::Unix,
            trusted: is_trusted.then_some(header),
        };
        let settings = ClientIp {
            header,
            forwarded_host: true,
            ..ClientIp::default()
        };
        forwarded_host(&client, &headers, &settings).map(|host| host.map(str::to_owned))
    }

    #[rstest]
    #[case::none(&[], Ok(None))]
    #[case::one(&["app.test:8443"], Ok(Some("app.test:8443")))]
    #[case::two_lines(&["app.test", "app.test"], Err(Rejection::Header))]
    fn x_forwarded_host_has_one_line(
        #[case] lines: &[&str],
        #[case] expected: Result<Option<&str>, Rejection>,
    ) {
        let expected = expected.map(|host| host.map(str::to_owned));
        assert_eq!(
            found(ForwardingHeader::XForwardedFor, true, lines),
            expected
        );
    }

    #[rstest]
    #[case::none(&["for=192.0.2.1"], Ok(None))]
    #[case::one(&["for=192.0.2.1;host=app.test;proto=https"], Ok(Some("app.test")))]
    #[case::quoted(&["Host=\"app.test:8443\""], Ok(Some("app.test:8443")))]
    #[case::of_the_client(&["host=evil.test, for=192.0.2.1"], Ok(None))]
    #[case::behind_that_of_the_client(&["host=evil.test", "for=x;host=app.test"], Ok(Some("app.test")))]
    #[case::doubled(&["host=a.test;host=b.test"], Err(Rejection::Header))]
    #[case::escaped(&["host=\"a\\\"b\""], Err(Rejection::Header))]
    #[case::no_pair(&["host"], Err(Rejection::Header))]
    #[case::empty(&[""], Err(Rejection::Header))]
    fn of_forwarded_the_last_element_counts(
        #[case] lines: &[&str],
        #[case] expected: Result<Option<&str>, Rejection>,
    ) {
        let expected = expected.map(|host| host.map(str::to_owned));
        assert_eq!(found(ForwardingHeader::Forwarded, true, lines), expected);
    }

    #[test]
    fn a_peer_that_is_not_trusted_is_not_believed() {
        for header in [ForwardingHeader::XForwardedFor, ForwardingHeader::Forwarded] {
            assert_eq!(found(header, false, &["host=a.test", "x", "\\"]), Ok(None));
        }
    }
}
