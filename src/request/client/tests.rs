use std::net::SocketAddr;

use http::HeaderValue;
use proptest::prelude::*;
use rstest::rstest;

use super::*;
use crate::config::parse_network;

/// 10.0.0.0/8 and 2001:db8:f::/48 are proxies.
fn settings(header: ForwardingHeader) -> ClientIp {
    let networks = ["10.0.0.0/8", "2001:db8:f::/48"];
    ClientIp {
        trusted_proxies: networks.map(|text| parse_network(text).unwrap()).into(),
        header,
        ..ClientIp::default()
    }
}

fn tcp(ip: &str) -> ClientAddr {
    ClientAddr::Tcp(SocketAddr::new(ip.parse().unwrap(), 4711))
}

fn headers(name: &'static str, lines: &[&str]) -> HeaderMap {
    let name = HeaderName::from_static(name);
    let line = |line: &&str| {
        (
            name.clone(),
            HeaderValue::from_bytes(line.as_bytes()).unwrap(),
        )
    };
    lines.iter().map(line).collect()
}

fn identify_by(header: ForwardingHeader, peer: ClientAddr, lines: &[&str]) -> ClientIdentity {
    let name = match header {
        ForwardingHeader::XForwardedFor => "x-forwarded-for",
        ForwardingHeader::Forwarded => "forwarded",
    };
    identify(peer, &headers(name, lines), &settings(header))
}

#[test]
fn the_address_has_a_port_only_where_the_client_is_the_peer() {
    let by = |peer, lines: &[&str]| identify_by(ForwardingHeader::XForwardedFor, peer, lines);
    for (peer, lines, expected) in [
        (tcp("192.0.2.1"), &[][..], Some("192.0.2.1:4711")),
        (tcp("::ffff:192.0.2.1"), &[], Some("192.0.2.1:4711")),
        (tcp("10.0.0.1"), &["192.0.2.1"], Some("192.0.2.1:0")),
        (tcp("10.0.0.1"), &["unknown"], Some("10.0.0.1:4711")),
        (ClientAddr::Unix, &["2001:db8::1"], Some("[2001:db8::1]:0")),
        (ClientAddr::Unix, &[], None),
    ] {
        let address = by(peer, lines).address();
        let expected = expected.map(|text| text.parse().unwrap());
        assert_eq!(address, expected, "{peer} {lines:?}");
    }
}

#[rstest]
#[case::no_header(&[], "10.0.0.1")]
#[case::one(&["192.0.2.1"], "192.0.2.1")]
#[case::chain(&["192.0.2.1, 10.0.0.2"], "192.0.2.1")]
#[case::spoofed_left(&["198.51.100.9, 192.0.2.1, 10.0.0.2"], "192.0.2.1")]
#[case::no_spaces(&["198.51.100.9,192.0.2.1,10.0.0.2"], "192.0.2.1")]
#[case::tab(&["192.0.2.1,\t10.0.0.2"], "192.0.2.1")]
#[case::lines(&["198.51.100.9", "192.0.2.1", "10.0.0.2"], "192.0.2.1")]
#[case::lines_and_lists(&["198.51.100.9, 192.0.2.1", "10.0.0.3, 10.0.0.2"], "192.0.2.1")]
#[case::all_trusted(&["10.9.9.9, 10.0.0.2"], "10.9.9.9")]
#[case::port(&["192.0.2.1:4711"], "192.0.2.1")]
#[case::ipv6(&["2001:db8::1"], "2001:db8::1")]
#[case::brackets(&["[2001:db8::1]"], "2001:db8::1")]
#[case::brackets_and_port(&["[2001:db8::1]:4711"], "2001:db8::1")]
#[case::mapped(&["::ffff:192.0.2.1"], "192.0.2.1")]
#[case::mapped_proxy(&["192.0.2.1, ::ffff:10.0.0.2"], "192.0.2.1")]
#[case::ipv6_proxy(&["192.0.2.1, 2001:db8:f::2"], "192.0.2.1")]
#[case::unknown(&["192.0.2.1, unknown"], "10.0.0.1")]
#[case::unknown_behind_a_proxy(&["192.0.2.1, unknown, 10.0.0.2"], "10.0.0.2")]
#[case::garbage_left_of_the_client(&["<script>, \u{ff}, 192.0.2.1, 10.0.0.2"], "192.0.2.1")]
#[case::garbage_from_a_proxy(&["192.0.2.1, \u{ff}, 10.0.0.2"], "10.0.0.2")]
#[case::empty(&[""], "10.0.0.1")]
#[case::empty_element(&["198.51.100.9, , 10.0.0.2"], "10.0.0.2")]
#[case::trailing_comma(&["198.51.100.9,"], "10.0.0.1")]
#[case::empty_line(&["198.51.100.9", ""], "10.0.0.1")]
#[case::bad_port(&["192.0.2.1:http"], "10.0.0.1")]
#[case::port_too_high(&["192.0.2.1:65536"], "10.0.0.1")]
#[case::zone(&["fe80::1%eth0"], "10.0.0.1")]
#[case::open_bracket(&["[2001:db8::1"], "10.0.0.1")]
#[case::octal(&["0300.0.2.1"], "10.0.0.1")]
#[case::short(&["192.0.513"], "10.0.0.1")]
#[case::quoted(&["\"192.0.2.1\""], "10.0.0.1")]
fn the_client_is_the_first_from_the_right_that_is_no_proxy(
    #[case] lines: &[&str],
    #[case] client: &str,
) {
    let identity = identify_by(ForwardingHeader::XForwardedFor, tcp("10.0.0.1"), lines);
    assert_eq!(identity.ip.to_string(), client);
    assert_eq!(identity.peer, tcp("10.0.0.1"));
    assert!(identity.trusted.is_some());
}

#[rstest]
#[case::token(&["for=192.0.2.1"], "192.0.2.1")]
#[case::case(&["For=192.0.2.1"], "192.0.2.1")]
#[case::quoted_port(&["for=\"192.0.2.1:80\""], "192.0.2.1")]
#[case::quoted_ipv6(&["for=\"[2001:db8::1]\""], "2001:db8::1")]
#[case::quoted_ipv6_port(&["for=\"[2001:db8::1]:80\""], "2001:db8::1")]
#[case::obfuscated_port(&["for=\"192.0.2.1:_http\""], "192.0.2.1")]
#[case::parameters(&["by=10.0.0.1;for=192.0.2.1;proto=https"], "192.0.2.1")]
#[case::spaces(&["by=10.0.0.1; for=192.0.2.1 ;proto=https"], "192.0.2.1")]
#[case::chain(&["for=198.51.100.9, for=192.0.2.1;proto=https, for=10.0.0.2"], "192.0.2.1")]
#[case::lines(&["for=192.0.2.1", "for=10.0.0.2"], "192.0.2.1")]
#[case::comma_in_quotes(&["for=192.0.2.1;host=\"a, b;c\""], "192.0.2.1")]
#[case::open_quote_of_a_client(&["for=\"x, for=192.0.2.1"], "192.0.2.1")]
#[case::quote_across(&["for=1.1.1.1;by=\", for=\"[2001:db8::1]\""], "2001:db8::1")]
#[case::escape_of_a_client(&["for=1.1.1.1;by=\"\\, for=192.0.2.1"], "192.0.2.1")]
#[case::all_trusted(&["for=10.0.0.9, for=10.0.0.2"], "10.0.0.9")]
#[case::unknown(&["for=198.51.100.9, for=unknown"], "10.0.0.1")]
#[case::obfuscated(&["for=198.51.100.9, for=_hidden, for=10.0.0.2"], "10.0.0.2")]
#[case::no_for(&["for=198.51.100.9, by=10.0.0.2"], "10.0.0.1")]
#[case::doubled_for(&["for=198.51.100.9;for=192.0.2.1"], "10.0.0.1")]
#[case::no_value(&["for"], "10.0.0.1")]
#[case::not_a_pair(&["for=192.0.2.1;;"], "10.0.0.1")]
#[case::half_quoted(&["for=\"192.0.2.1"], "10.0.0.1")]
#[case::escaped(&["for=\"192.0.2.1\\\""], "10.0.0.1")]
#[case::escape_in_another_parameter(&["for=192.0.2.1;host=\"x\\\",for=1.1.1.1;a=\\\"y\""], "10.0.0.1")]
#[case::behind_the_quote(&["for=\"192.0.2.1\"x"], "10.0.0.1")]
#[case::bare_address(&["192.0.2.1"], "10.0.0.1")]
fn the_client_is_found_in_forwarded_too(#[case] lines: &[&str], #[case] client: &str) {
    let identity = identify_by(ForwardingHeader::Forwarded, tcp("10.0.0.1"), lines);
    assert_eq!(identity.ip.to_string(), client);
}

#[rstest]
#[case("192.0.2.7", "192.0.2.7")]
#[case("::ffff:192.0.2.7", "192.0.2.7")]
#[case("2001:db8::7", "2001:db8::7")]
fn an_untrusted_peer_is_the_client_whatever_it_says(#[case] peer: &str, #[case] client: &str) {
    for header in [ForwardingHeader::XForwardedFor, ForwardingHeader::Forwarded] {
        let lines: &[&str] = &["198.51.100.9", "for=198.51.100.9"];
        let identity = identify_by(header, tcp(peer), lines);
        assert_eq!(identity.ip.to_string(), client);
        assert!(identity.trusted.is_none());
    }
}

#[test]
fn only_the_header_of_the_settings_is_read() {
    let forwarded = headers("forwarded", &["for=198.51.100.9"]);
    let identity = identify(
        tcp("10.0.0.1"),
        &forwarded,
        &settings(ForwardingHeader::XForwardedFor),
    );
    assert_eq!(identity.ip.to_string(), "10.0.0.1");
    let x_forwarded_for = headers("x-forwarded-for", &["198.51.100.9"]);
    let identity = identify(
        tcp("10.0.0.1"),
        &x_forwarded_for,
        &settings(ForwardingHeader::Forwarded),
    );
    assert_eq!(identity.ip.to_string(), "10.0.0.1");
}

#[test]
fn a_mapped_peer_is_trusted_by_its_ipv4_address() {
    let identity = identify_by(
        ForwardingHeader::XForwardedFor,
        tcp("::ffff:10.0.0.1"),
        &["192.0.2.1"],
    );
    assert_eq!(identity.ip.to_string(), "192.0.2.1");
}

#[test]
fn a_unix_peer_is_believed_and_is_loopback_by_itself() {
    let header = ForwardingHeader::XForwardedFor;
    let alone = identify_by(header, ClientAddr::Unix, &[]);
    assert_eq!(alone.ip.to_string(), "127.0.0.1");
    assert!(alone.trusted.is_some());
    let forwarding = identify_by(header, ClientAddr::Unix, &["192.0.2.1"]);
    assert_eq!(forwarding.ip.to_string(), "192.0.2.1");
}

#[test]
fn bytes_that_are_no_text_spoil_only_what_is_left_of_them() {
    let line = |bytes: &[u8]| {
        let name = HeaderName::from_static("x-forwarded-for");
        let headers = [(name, HeaderValue::from_bytes(bytes).unwrap())];
        let settings = settings(ForwardingHeader::XForwardedFor);
        identify(tcp("10.0.0.1"), &headers.into_iter().collect(), &settings)
    };
    let behind = line(b"\xff\xfe, 192.0.2.1, 10.0.0.2");
    assert_eq!(behind.ip.to_string(), "192.0.2.1");
    let before = line(b"192.0.2.1, 10.0.0.2\xff");
    assert_eq!(before.ip.to_string(), "10.0.0.1");
}

/// What a client may write: addresses it wants to pass for, some of them of trusted proxies, and
/// bytes that may confuse the reader of a list.
fn client_text() -> impl Strategy<Value = String> {
    let pieces = [
        "198.51.100.9",
        "10.1.1.1",
        "for=",
        "for=198.51.100.9",
        "For=\"[2001:db8:f::1]:80\"",
        "by=",
        "[2001:db8::9]",
        "\"",
        "\\",
        "\\\"",
        ",",
        ", ",
        ";",
        "=",
        " ",
        "\t",
        "_x",
        "unknown",
        "[",
        "]",
        ":80",
        "\u{ff}",
    ];
    let piece = prop::sample::select(pieces.to_vec());
    prop::collection::vec(piece, 0..12).prop_map(|pieces| pieces.concat())
}

proptest! {
    #[test]
    fn the_client_is_never_an_address_that_an_untrusted_peer_wrote(
        spoofed in prop::collection::vec(client_text(), 0..3),
        hops in 0_u8..3,
        own_line: bool,
        ipv6: bool,
        forwarded: bool,
    ) {
        let header = match forwarded {
            true => ForwardingHeader::Forwarded,
            false => ForwardingHeader::XForwardedFor,
        };
        let client = match ipv6 { true => "2001:db8::7", false => "192.0.2.7" };
        // The trusted proxies append who they saw: the client, then one another.
        let node = |address: &str| match (forwarded, address.contains(':')) {
            (true, true) => format!("for=\"[{address}]\";proto=https"),
            (true, false) => format!("for={address};host=\"a,b\""),
            (false, _) => address.to_owned(),
        };
        let mut lines = spoofed;
        let seen = std::iter::once(client.to_owned()).chain((2..).map(|hop| format!("10.0.0.{hop}")));
        for address in seen.take(hops.into()) {
            let element = node(&address);
            match lines.last_mut().filter(|_| !own_line) {
                Some(line) => line.push_str(&format!(", {element}")),
                None => lines.push(element),
            }
        }
        let peer = match hops { 0 => tcp(client), _ => tcp("10.0.0.1") };
        let lines: Vec<&str> = lines.iter().map(String::as_str).collect();
        let identity = identify_by(header, peer, &lines);
        prop_assert_eq!(identity.ip.to_string(), client);
    }
}
