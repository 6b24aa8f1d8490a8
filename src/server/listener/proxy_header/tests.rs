use tokio::io::AsyncWriteExt;

use super::*;

const PEER: &str = "192.0.2.1:7";

fn peer() -> ClientAddr {
    ClientAddr::Tcp(PEER.parse().unwrap())
}

/// A header of version 2 with this command, family and rest.
fn binary(command: u8, family: u8, rest: &[u8]) -> Vec<u8> {
    let length = u16::try_from(rest.len()).unwrap().to_be_bytes();
    [&SIGNATURE[..], &[0x20 | command, family], &length, rest].concat()
}

const IPV4: &[u8] = b"\xc6\x33\x64\x07\x0a\0\0\x01\x30\x39\x01\xbb";

/// The client that is read, and what of the bytes is left for HTTP.
async fn read_of(bytes: &[u8]) -> (Result<Client, ProxyHeaderError>, Vec<u8>) {
    let setting = ProxyProtocol::From(vec!["192.0.2.0/24".parse().unwrap()]);
    let (near, mut far) = UnixStream::pair().unwrap();
    let mut near = Transport::Unix(near);
    // Byte by byte at first: a socket holds few such pieces.
    let write = async {
        let (begin, rest) = bytes.split_at(bytes.len().min(64));
        for byte in begin {
            far.write_all(&[*byte]).await.unwrap();
            tokio::task::yield_now().await;
        }
        far.write_all(rest).await.unwrap();
        drop(far);
    };
    let (client, ()) = tokio::join!(read(&setting, &mut near, peer()), write);
    let mut left = Vec::new();
    near.read_to_end(&mut left).await.unwrap();
    (client, left)
}

#[tokio::test]
async fn a_header_names_the_client_and_what_follows_stays() {
    let ssl = [IPV4, b"\x20\0\x05\x01\0\0\0\0"].concat();
    for (header, expected, over_tls) in [
        (
            b"PROXY TCP4 198.51.100.7 10.0.0.1 12345 443\r\n".to_vec(),
            "198.51.100.7:12345",
            false,
        ),
        (
            b"PROXY TCP6 2001:db8::7 ::1 12345 443\r\n".to_vec(),
            "[2001:db8::7]:12345",
            false,
        ),
        (b"PROXY UNKNOWN\r\n".to_vec(), PEER, false),
        (b"PROXY UNKNOWN ff:: ff:: 1 2\r\n".to_vec(), PEER, false),
        (binary(1, 0x11, IPV4), "198.51.100.7:12345", false),
        (binary(1, 0x11, &ssl), "198.51.100.7:12345", true),
        (binary(0, 0x00, b""), PEER, false),
        (binary(0, 0x11, IPV4), PEER, false),
        // Whatever the family and the rest are.
        (binary(0, 0x11, b""), PEER, false),
        (binary(0, 0xFF, b"\0\xFF"), PEER, false),
        (binary(1, 0x00, b""), PEER, false),
        (binary(1, 0x31, &[b'/'; 216]), PEER, false),
    ] {
        let shown = String::from_utf8_lossy(&header).into_owned();
        for request in ["", "GET / HTTP/1.1\r\n\r\n"] {
            let (client, left) = read_of(&[&header, request.as_bytes()].concat()).await;
            let address = ClientAddr::Tcp(expected.parse().unwrap());
            let client = client.unwrap();
            assert_eq!(client.address, address, "{shown:?}");
            assert_eq!(client.over_tls, over_tls.then(OverTls::new), "{shown:?}");
            let destination = client.destination.map(|address| address.port());
            let names_it = expected != PEER;
            assert_eq!(destination, names_it.then_some(443), "{shown:?}");
            assert_eq!(String::from_utf8(left).unwrap(), request, "{shown:?}");
        }
    }
}

#[tokio::test]
async fn anything_else_is_no_header() {
    let long = format!("PROXY UNKNOWN {}\r\n", "x".repeat(LONGEST_LINE));
    for wrong in [
        b"GET / HTTP/1.1\r\nHost: a\r\n\r\n".to_vec(),
        b"PROXY TCP4 198.51.100.7 10.0.0.1 12345\r\n".to_vec(),
        b"PROXY TCP4 2001:db8::7 ::1 12345 443\r\n".to_vec(),
        b"PROXY TCP4 198.51.100.7 10.0.0.1 12345 443\n".to_vec(),
        b"PROXY TCP4 198.51.100.7 10.0.0.1 12345 65536\r\n".to_vec(),
        b"PROXY TCP4 198.51.100.7 10.0.0.1 +12345 443\r\n".to_vec(),
        b"PROXY TCP4 198.51.100.7 10.0.0.1 12345 0443\r\n".to_vec(),
        b"PROXY UDP4 198.51.100.7 10.0.0.1 12345 443\r\n".to_vec(),
        b"proxy unknown\r\n".to_vec(),
        long.into_bytes(),
        binary(1, 0x12, IPV4),
        binary(1, 0x11, &IPV4[1..]),
        binary(2, 0x11, IPV4),
        // A TLV that is longer than the header, and one without its length.
        binary(1, 0x11, &[IPV4, b"\x04\0\x02\0"].concat()),
        binary(1, 0x11, &[IPV4, b"\x04\0"].concat()),
        binary(1, 0x11, &[IPV4, b"\x20\0\x04\x01\0\0\0"].concat()),
        binary(1, 0x11, &[0; LONGEST_REST + 1]),
    ] {
        let (client, _) = read_of(&wrong).await;
        let shown = String::from_utf8_lossy(&wrong).into_owned();
        assert!(
            matches!(client, Err(ProxyHeaderError::Malformed)),
            "{client:?} of {shown:?}"
        );
    }
    for cut in [
        &b"PROXY"[..],
        b"PROXY TCP4 198.51",
        &SIGNATURE,
        &binary(1, 0x11, IPV4)[..20],
    ] {
        let (client, _) = read_of(cut).await;
        assert!(matches!(
            client,
            Err(ProxyHeaderError::Ended(_) | ProxyHeaderError::Malformed)
        ));
    }
}

#[tokio::test]
async fn only_the_proxies_of_the_settings_may_speak() {
    let setting = ProxyProtocol::From(vec!["203.0.113.0/24".parse().unwrap()]);
    let (near, _far) = UnixStream::pair().unwrap();
    let mut near = Transport::Unix(near);
    let denied = read(&setting, &mut near, peer()).await;
    assert!(matches!(denied, Err(ProxyHeaderError::UnknownPeer)));
    let off = read(&ProxyProtocol::Off, &mut near, peer()).await.unwrap();
    assert_eq!(off, Client::of(peer()));
}
