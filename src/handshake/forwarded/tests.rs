use rstest::rstest;

use super::*;
use crate::config::Route;
use crate::handshake::fixtures::{Caller, PEER, sending, sent_lines};

/// The forwarding headers among them.
fn forwarding(headers: &[(&str, &str)], route: &Route, from: Caller) -> Vec<String> {
    let mut lines = sent_lines(headers, route, from);
    lines.retain(|line| {
        ["x-forwarded-", "forwarded:", "x-real-ip:"]
            .iter()
            .any(|name| line.starts_with(name))
    });
    lines
}

/// What a client writes who wants to be somebody else.
const FORGED: [(&str, &str); 7] = [
    ("x-forwarded-for", "192.0.2.66"),
    ("X-Forwarded-For", "192.0.2.67"),
    ("x-forwarded-proto", "https"),
    ("x-forwarded-host", "evil.example"),
    ("x-forwarded-user", "admin"),
    ("forwarded", "for=192.0.2.66;proto=https"),
    ("x-real-ip", "192.0.2.66"),
];

#[rstest]
#[case(Forwarded::Off, &[])]
#[case(Forwarded::XForwarded, &[
    "x-forwarded-for: 203.0.113.7",
    "x-forwarded-host: chat.example.com:8080",
    "x-forwarded-proto: http",
])]
#[case(Forwarded::Standard, &[
    "forwarded: for=203.0.113.7;host=\"chat.example.com:8080\";proto=http",
])]
#[case(Forwarded::Both, &[
    "forwarded: for=203.0.113.7;host=\"chat.example.com:8080\";proto=http",
    "x-forwarded-for: 203.0.113.7",
    "x-forwarded-host: chat.example.com:8080",
    "x-forwarded-proto: http",
])]
fn a_client_cannot_forge_who_it_is(#[case] mode: Forwarded, #[case] lines: &[&str]) {
    let route = sending(mode);
    assert_eq!(forwarding(&FORGED, &route, Caller::stranger(PEER)), lines);
    assert_eq!(forwarding(&[], &route, Caller::stranger(PEER)), lines);
}

#[test]
fn a_trusted_proxys_own_chain_is_continued() {
    let from = Caller::proxy(ForwardingHeader::XForwardedFor);
    assert_eq!(
        forwarding(&FORGED, &sending(Forwarded::XForwarded), from),
        [
            "x-forwarded-for: 192.0.2.66, 192.0.2.67, 203.0.113.7",
            "x-forwarded-host: evil.example",
            "x-forwarded-proto: https",
            "x-forwarded-user: admin",
            "x-real-ip: 198.51.100.1",
        ]
    );
    let from = Caller::proxy(ForwardingHeader::Forwarded);
    assert_eq!(
        forwarding(&FORGED, &sending(Forwarded::Standard), from),
        [
            "forwarded: for=192.0.2.66;proto=https, \
             for=203.0.113.7;host=\"chat.example.com:8080\";proto=http",
            "x-real-ip: 198.51.100.1",
        ]
    );
}

#[test]
fn a_trusted_proxy_is_believed_in_one_header_only() {
    let from = Caller::proxy(ForwardingHeader::XForwardedFor);
    assert_eq!(
        forwarding(&FORGED, &sending(Forwarded::Standard), from),
        [
            "forwarded: for=198.51.100.1, \
             for=203.0.113.7;host=\"chat.example.com:8080\";proto=http",
            "x-forwarded-user: admin",
            "x-real-ip: 198.51.100.1",
        ]
    );
    let from = Caller::proxy(ForwardingHeader::Forwarded);
    assert_eq!(
        forwarding(&FORGED, &sending(Forwarded::XForwarded), from),
        [
            "x-forwarded-for: 198.51.100.1, 203.0.113.7",
            "x-forwarded-host: chat.example.com:8080",
            "x-forwarded-proto: http",
            "x-real-ip: 198.51.100.1",
        ]
    );
}

#[test]
fn with_off_a_trusted_proxys_headers_stay_as_they_are() {
    let from = Caller::proxy(ForwardingHeader::XForwardedFor);
    let lines = forwarding(&FORGED, &sending(Forwarded::Off), from);
    assert_eq!(lines.len(), FORGED.len());
    assert!(lines.contains(&"x-real-ip: 192.0.2.66".to_owned()));
}

#[rstest]
#[case(
    "[2001:db8::1]:9",
    "x-forwarded-for: 2001:db8::1",
    "forwarded: for=\"[2001:db8::1]\";"
)]
#[case(
    "[::ffff:192.0.2.1]:9",
    "x-forwarded-for: 192.0.2.1",
    "forwarded: for=192.0.2.1;"
)]
fn addresses_are_written_as_each_header_has_them(
    #[case] peer: &str,
    #[case] x_forwarded_for: &str,
    #[case] forwarded: &str,
) {
    let lines = forwarding(&[], &sending(Forwarded::Both), Caller::stranger(peer));
    assert!(lines[0].starts_with(forwarded), "{lines:?}");
    assert_eq!(lines[1], x_forwarded_for);
}

#[test]
fn a_unix_peer_has_no_address() {
    let peer = ClientAddr::Unix;
    let from = Caller {
        peer,
        client_ip: peer.ip(),
        trusted: None,
    };
    let lines = forwarding(&[], &sending(Forwarded::Both), from);
    assert!(
        lines[0].starts_with("forwarded: for=unknown;host="),
        "{lines:?}"
    );
    assert_eq!(lines[1], "x-forwarded-for: 127.0.0.1");
}

/// An empty line stops a reader of the chain, so it may not vanish between two addresses.
#[rstest]
#[case(&[("x-forwarded-for", "192.0.2.66"), ("x-forwarded-for", "")], "192.0.2.66, unknown, 203.0.113.7")]
#[case(&[("x-forwarded-for", "192.0.2.66"), ("x-forwarded-for", ""), ("x-forwarded-for", "10.0.0.2")],
    "192.0.2.66, unknown, 10.0.0.2, 203.0.113.7")]
#[case(&[("x-forwarded-for", "")], "198.51.100.1, 203.0.113.7")]
fn an_empty_line_of_a_chain_stays_what_nobody_vouches_for(
    #[case] headers: &[(&str, &str)],
    #[case] chain: &str,
) {
    let from = Caller::proxy(ForwardingHeader::XForwardedFor);
    let lines = forwarding(headers, &sending(Forwarded::XForwarded), from);
    assert_eq!(lines[0], format!("x-forwarded-for: {chain}"));
}
