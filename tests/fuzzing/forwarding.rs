//! What proxies say of the client: whom the gate takes it for, and what it tells the upstream.

use std::net::{IpAddr, SocketAddr};

use http::request::Parts;
use http::{HeaderMap, HeaderValue, Request};

use super::Ways;
use crate::config::UpstreamHttp;
use crate::config::{ClientIp, Config, ForwardingHeader, networks_contain, parse_network};
use crate::handshake::upstream_request;
use crate::request::{ClientIdentity, Handshake, identify};
use crate::types::ClientAddr;

/// Three kinds of lines: the trusted networks with commas between them, the peer (an address or
/// `unix`), and headers: `x:` is `X-Forwarded-For`, `f:` `Forwarded`, `r:` `X-Real-IP`, `p:`
/// `X-Forwarded-Proto`, `h:` `X-Forwarded-Host`, `t:` `True-Client-IP`, `u:` `X_Original.URL`, `o:`
/// `X-Own`, which the settings leave to trusted proxies.
///
/// Ways: 0 proxies speak `Forwarded`, 1 and 2 what the route sends.
pub fn forwarding(data: &[u8]) {
    let Some((ways, rest)) = Ways::split(data) else {
        return;
    };
    let mut lines = rest.split(|&byte| byte == b'\n');
    let mut text = || lines.next().and_then(|line| std::str::from_utf8(line).ok());
    let (Some(networks), Some(peer)) = (text(), text()) else {
        return;
    };
    let networks = networks
        .split(',')
        .filter_map(|text| parse_network(text).ok());
    let settings = ClientIp {
        trusted_proxies: networks.collect(),
        header: match ways.has(0) {
            true => ForwardingHeader::Forwarded,
            false => ForwardingHeader::XForwardedFor,
        },
        ..ClientIp::default()
    };
    let peer = match peer.parse::<IpAddr>() {
        Ok(ip) => ClientAddr::Tcp(SocketAddr::new(ip, 5000)),
        Err(_) if peer == "unix" => ClientAddr::Unix,
        Err(_) => return,
    };
    let parts = request(lines);
    let client = identify(peer, &parts.headers, &settings);
    check_identity(&client, &parts.headers, &settings);
    check_told(&client, &parts, &settings, ways);
}

fn request<'a>(lines: impl Iterator<Item = &'a [u8]>) -> Parts {
    let mut request = Request::get("/ws")
        .header("host", "a.test:8080")
        .header("connection", "Upgrade")
        .header("upgrade", "websocket")
        .header("sec-websocket-version", "13")
        .header("sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ==");
    for line in lines {
        let Some((letter, value)) = line.split_first_chunk() else {
            continue;
        };
        let name = match letter {
            b"x:" => "x-forwarded-for",
            b"f:" => "forwarded",
            b"r:" => "x-real-ip",
            b"p:" => "x-forwarded-proto",
            b"h:" => "x-forwarded-host",
            b"t:" => "true-client-ip",
            b"u:" => "x_original.url",
            b"o:" => "x-own",
            _ => continue,
        };
        // As hyper hands it out, without white space around it.
        if let Ok(value) = HeaderValue::from_bytes(value.trim_ascii()) {
            request = request.header(name, value);
        }
    }
    request.body(()).expect("a request").into_parts().0
}

/// Who the client may be found to be.
fn check_identity(client: &ClientIdentity, headers: &HeaderMap, settings: &ClientIp) {
    let trusts = |ip| networks_contain(&settings.trusted_proxies, ip);
    let peer = client.peer.ip();
    let trusted = client.peer == ClientAddr::Unix || trusts(peer);
    assert_eq!(client.trusted.is_some(), trusted);
    assert_eq!(client.ip, client.ip.to_canonical());
    if !trusted {
        assert_eq!(client.ip, peer, "a stranger's header was believed");
        return;
    }
    let name = name_of(settings.header);
    let said = headers.get_all(name).iter();
    let lines: Vec<&[u8]> = said.map(HeaderValue::as_bytes).collect();
    let mut named = lines.iter().flat_map(|line| addresses_in(line));
    let named = named.any(|ip| ip == client.ip);
    assert!(client.ip == peer || named, "nobody named {}", client.ip);
    let joined = lines.join(&b","[..]);
    if settings.header == ForwardingHeader::Forwarded && joined.iter().any(|b| b"\"\\".contains(b))
    {
        // Read from the right, quotes are not the plain grammar: what was checked has to do.
        return;
    }
    let mut expected = peer;
    for element in joined.rsplit(|&byte| byte == b',') {
        if lines.is_empty() {
            break;
        }
        let Some(ip) = address(element, settings.header) else {
            break;
        };
        expected = ip;
        if !trusts(expected) {
            break;
        }
    }
    assert_eq!(client.ip, expected);
}

fn name_of(header: ForwardingHeader) -> &'static str {
    match header {
        ForwardingHeader::XForwardedFor => "x-forwarded-for",
        ForwardingHeader::Forwarded => "forwarded",
    }
}

/// Everything in a line that could be an address.
fn addresses_in(line: &[u8]) -> impl Iterator<Item = IpAddr> {
    let known = |byte: &u8| byte.is_ascii_hexdigit() || b".:".contains(byte);
    let words = line.split(move |byte| !known(byte));
    let words = words.filter_map(|word| std::str::from_utf8(word).ok());
    words
        .flat_map(|word| {
            let before_port = word.rsplit_once(':').map(|(address, _)| address);
            [Some(word), before_port]
        })
        .filter_map(|word| Some(word?.parse::<IpAddr>().ok()?.to_canonical()))
}

/// The address in one element without quotes.
fn address(element: &[u8], header: ForwardingHeader) -> Option<IpAddr> {
    let element = std::str::from_utf8(element).ok()?;
    let element = element.trim_matches([' ', '\t']);
    let node = match header {
        ForwardingHeader::XForwardedFor => element,
        ForwardingHeader::Forwarded => {
            let pairs = element
                .split(';')
                .map(|pair| pair.trim_matches([' ', '\t']));
            let pairs: Option<Vec<_>> = pairs.map(|pair| pair.split_once('=')).collect();
            let pairs = pairs?.into_iter();
            let mut nodes = pairs.filter(|(name, _)| name.eq_ignore_ascii_case("for"));
            match (nodes.next(), nodes.next()) {
                (Some((_, node)), None) => node,
                _ => return None,
            }
        }
    };
    let ip = match node.rsplit_once(":_") {
        // An obfuscated port is as good as a number.
        Some((host, port))
            if !port.is_empty()
                && port
                    .bytes()
                    .all(|b| b.is_ascii_alphanumeric() || b"._-".contains(&b)) =>
        {
            format!("{host}:1").parse::<SocketAddr>().ok()?.ip()
        }
        _ => {
            let bracketed = node
                .strip_prefix('[')
                .and_then(|node| node.strip_suffix(']'));
            let bracketed = bracketed.and_then(|node| node.parse::<std::net::Ipv6Addr>().ok());
            match (
                bracketed,
                node.parse::<IpAddr>(),
                node.parse::<SocketAddr>(),
            ) {
                (Some(ip), _, _) => ip.into(),
                (_, Ok(ip), _) => ip,
                (_, _, Ok(socket)) if !node.contains('%') => socket.ip(),
                _ => return None,
            }
        }
    };
    Some(ip.to_canonical())
}

/// What the upstream is told, and whom a gate in its place would take the client for.
fn check_told(client: &ClientIdentity, parts: &Parts, settings: &ClientIp, ways: Ways) {
    let route = &SETTINGS.routes[ways.two(1)];
    let handshake = Handshake::websocket(parts, *client, route).expect("a right handshake");
    let offer = handshake.offer().expect("an offer");
    let told = upstream_request(&handshake, offer, "/ws".to_owned(), UpstreamHttp::H1);
    let (told, _) = told.expect("values of a header");
    let told = told.headers();
    let lines = |name: &str| told.get_all(name).iter().count();
    if client.trusted.is_none() {
        let own = if route.headers.forwarded.has_x_forwarded() {
            1
        } else {
            0
        };
        for name in ["x-forwarded-for", "x-forwarded-proto", "x-forwarded-host"] {
            assert_eq!(lines(name), own, "{name}");
        }
        assert_eq!(lines("x-real-ip"), 0);
    }
    for name in ["true-client-ip", "x_original.url", "x-own"] {
        let received = parts.headers.get_all(name).iter().count();
        let expected = client.trusted.map_or(0, |_| received);
        assert_eq!(lines(name), expected, "{name}");
    }
    if !route.headers.forwarded.has_x_forwarded() && !route.headers.forwarded.has_standard() {
        return;
    }
    let real = told
        .get("x-real-ip")
        .map(|ip| ip.to_str().unwrap().to_owned());
    assert!(real.is_none_or(|real| real == client.ip.to_string()));
    for header in [ForwardingHeader::XForwardedFor, ForwardingHeader::Forwarded] {
        let sends = match header {
            ForwardingHeader::XForwardedFor => route.headers.forwarded.has_x_forwarded(),
            ForwardingHeader::Forwarded => route.headers.forwarded.has_standard(),
        };
        assert_eq!(lines(name_of(header)), usize::from(sends));
        if sends && is_plain(parts, header) {
            check_next(client, told, settings, header);
        }
    }
}

/// Whether each line stands for itself: a quote that is left open runs into the next one when they
/// are put together.
fn is_plain(parts: &Parts, header: ForwardingHeader) -> bool {
    let mut lines = parts.headers.get_all(name_of(header)).iter();
    header == ForwardingHeader::XForwardedFor
        || lines.all(|line| line.as_bytes().iter().filter(|&&b| b == b'"').count() % 2 == 0)
}

/// A gate behind this one that trusts whom this one trusts, and this one.
fn check_next(
    client: &ClientIdentity,
    told: &HeaderMap,
    settings: &ClientIp,
    header: ForwardingHeader,
) {
    // Somebody without an address has none that could be trusted.
    if client.ip == GATE || client.peer.ip() == GATE || client.peer == ClientAddr::Unix {
        return;
    }
    let mut trusted_proxies = settings.trusted_proxies.clone();
    trusted_proxies.push(GATE.into());
    let next = ClientIp {
        trusted_proxies,
        header,
        ..settings.clone()
    };
    let gate = ClientAddr::Tcp(SocketAddr::new(GATE, 5000));
    let found = identify(gate, told, &next);
    let chain = told.get(name_of(header));
    assert_eq!(found.ip, client.ip, "{chain:?}");
}

const GATE: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(198, 51, 100, 254));

static SETTINGS: std::sync::LazyLock<Config> = std::sync::LazyLock::new(|| {
    let route = |mode| {
        format!(
            "[[route]]\nname = \"{mode}\"\npath = \"/{mode}\"\nupstream = \"chat\"\n\
             headers.forwarded = \"{mode}\"\nheaders.remove_untrusted = [\"x-own\"]\n"
        )
    };
    let routes = ["x-forwarded", "forwarded", "both", "off"].map(route);
    let upstream = "[upstream.chat]\nservers = [\"ws://127.0.0.1:9001\"]\n";
    let text = format!("{upstream}{}", routes.concat());
    Config::from_toml("forwarding.toml", &text).expect("right settings")
});
