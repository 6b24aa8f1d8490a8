use super::*;

fn address(text: &str) -> Option<SocketAddr> {
    (!text.is_empty()).then(|| text.parse().unwrap())
}

fn header(setting: SentProxyProtocol, [source, destination]: [&str; 2], server: &str) -> Vec<u8> {
    let proxied = ProxiedConnection {
        source: address(source),
        destination: address(destination),
    };
    let header = ProxyHeader::new(setting, proxied).unwrap();
    header.bytes(address(server))
}

#[test]
fn version_1_is_a_line_of_one_family() {
    for (addresses, server, expected) in [
        (
            ["198.51.100.7:12345", "192.0.2.1:443"],
            "10.0.0.1:80",
            "TCP4 198.51.100.7 192.0.2.1 12345 443",
        ),
        (
            ["[2001:db8::7]:12345", "[2001:db8::1]:443"],
            "10.0.0.1:80",
            "TCP6 2001:db8::7 2001:db8::1 12345 443",
        ),
        // What is not known: the port of a client, and what it connected to.
        (
            ["198.51.100.7:0", ""],
            "10.0.0.1:80",
            "TCP4 198.51.100.7 10.0.0.1 0 80",
        ),
        (
            ["198.51.100.7:12345", ""],
            "",
            "TCP4 198.51.100.7 0.0.0.0 12345 0",
        ),
        (["[2001:db8::7]:1", ""], "", "TCP6 2001:db8::7 :: 1 0"),
        // A listener of both families has clients of IPv4 in this form.
        (
            ["[::ffff:198.51.100.7]:12345", "[::ffff:192.0.2.1]:443"],
            "",
            "TCP4 198.51.100.7 192.0.2.1 12345 443",
        ),
        // Of two families. The grammar has no dots in an address of IPv6.
        (
            ["198.51.100.7:12345", "[2001:db8::1]:443"],
            "",
            "TCP6 ::ffff:c633:6407 2001:db8::1 12345 443",
        ),
        (
            ["[2001:db8::7]:12345", "192.0.2.1:443"],
            "",
            "TCP6 2001:db8::7 ::ffff:c000:201 12345 443",
        ),
        // No scope, and the longest that there is.
        (
            ["[fe80::1%3]:1", "[fe80::2%3]:2"],
            "",
            "TCP6 fe80::1 fe80::2 1 2",
        ),
        (
            ["[2001:db8:1111:2222:3333:4444:5555:6666]:65535"; 2],
            "",
            "TCP6 2001:db8:1111:2222:3333:4444:5555:6666 2001:db8:1111:2222:3333:4444:5555:6666 65535 65535",
        ),
        (["", "192.0.2.1:443"], "10.0.0.1:80", "UNKNOWN"),
    ] {
        let line = header(SentProxyProtocol::V1, addresses, server);
        let line = String::from_utf8(line).unwrap();
        assert_eq!(line, format!("PROXY {expected}\r\n"), "{addresses:?}");
        assert!(line.len() <= 107, "{line}");
    }
}

#[test]
fn version_2_is_an_address_block_without_more() {
    for (addresses, server, expected) in [
        (
            ["198.51.100.7:12345", "192.0.2.1:443"],
            "",
            &b"\x21\x11\0\x0c\xc6\x33\x64\x07\xc0\0\x02\x01\x30\x39\x01\xbb"[..],
        ),
        (
            ["198.51.100.7:0", ""],
            "10.0.0.1:80",
            b"\x21\x11\0\x0c\xc6\x33\x64\x07\x0a\0\0\x01\0\0\0\x50",
        ),
        (
            ["[2001:db8::7]:12345", "192.0.2.1:443"],
            "",
            b"\x21\x21\0\x24\x20\x01\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\x07\
              \0\0\0\0\0\0\0\0\0\0\xff\xff\xc0\0\x02\x01\x30\x39\x01\xbb",
        ),
        (
            ["198.51.100.7:12345", "[::1]:443"],
            "",
            b"\x21\x21\0\x24\0\0\0\0\0\0\0\0\0\0\xff\xff\xc6\x33\x64\x07\
              \0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\x01\x30\x39\x01\xbb",
        ),
        (["", ""], "10.0.0.1:80", b"\x20\0\0\0"),
    ] {
        let bytes = header(SentProxyProtocol::V2, addresses, server);
        let signature = b"\x0d\x0a\x0d\x0a\x00\x0d\x0a\x51\x55\x49\x54\x0a";
        assert_eq!(bytes, [&signature[..], expected].concat(), "{addresses:?}");
    }
}

/// The parser is of another library than the writer.
#[cfg(feature = "server")]
#[test]
fn a_parser_finds_the_addresses_again() {
    use proxy_header::{ParseConfig, ProxyHeader as Parsed};
    let v4 = ["198.51.100.7:12345", "192.0.2.1:443"];
    let v6 = ["[2001:db8::7]:12345", "[2001:db8::1]:443"];
    for setting in [SentProxyProtocol::V1, SentProxyProtocol::V2] {
        for (written, expected) in [
            (v4, Some(v4)),
            (v6, Some(v6)),
            ([v4[0], v6[1]], Some(["[::ffff:198.51.100.7]:12345", v6[1]])),
            (["", v4[1]], None),
        ] {
            let bytes = header(setting, written, "");
            let (parsed, length) = Parsed::parse(&bytes, ParseConfig::default()).unwrap();
            assert_eq!(length, bytes.len());
            let found = parsed.proxied_address();
            let found = found.map(|found| [found.source, found.destination]);
            let expected = expected.map(|pair| pair.map(|text| text.parse().unwrap()));
            assert_eq!(found, expected, "{setting:?} {written:?}");
        }
    }
}

#[test]
fn servers_get_none_unless_the_settings_say_so() {
    let off = ProxyHeader::new(SentProxyProtocol::Off, ProxiedConnection::default());
    assert_eq!(off, None);
}
