//! The PROXY header that servers get: what it says, where it stands, and whom a connection is for then.
//!
//! Another library than the one that writes it reads it here.

use std::net::SocketAddr;

use proxy_header::{ParseConfig, ProxyHeader};
use rustix::process::Signal;
use tokio::io::{AsyncReadExt, DuplexStream, copy_bidirectional, duplex};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio::time::timeout;
use wsgate::{ClientAddr, Connect, ConnectError, LocalAddr, ServerTarget, UpstreamStream};

use crate::kit::{
    AT_ONCE, Authority, Echo, Program, Request, Socket, Terminator, Upstream, Validity, Wire,
    answer, settings, setup, soon, switching,
};

const VERSIONS: [&str; 2] = ["v1", "v2"];

const PLAIN: &str = "GET /ws/ HTTP/1.1\r\nHost: gate.test\r\n\r\n";

/// Source and destination, if the header names them.
type Named = Option<[SocketAddr; 2]>;

/// Reads the header of this version, and nothing behind it.
async fn header(wire: &mut Wire, version: &str) -> Named {
    let bytes = match version {
        "v1" => wire.until(b"\r\n").await,
        _ => {
            let mut bytes = wire.take(16).await;
            let length = usize::from(u16::from_be_bytes([bytes[14], bytes[15]]));
            if length > 0 {
                bytes.extend(wire.take(length).await);
            }
            bytes
        }
    };
    named(&bytes, version)
}

fn named(bytes: &[u8], version: &str) -> Named {
    assert_eq!(bytes.starts_with(b"PROXY "), version == "v1", "{bytes:?}");
    let (parsed, length) = ProxyHeader::parse(bytes, ParseConfig::default()).unwrap();
    assert_eq!(length, bytes.len(), "{bytes:?}");
    let named = parsed.proxied_address();
    named.map(|named| [named.source, named.destination])
}

/// Settings whose servers get a header, and whose route forwards plain requests too.
fn sending(url: &str, version: &str, more: &str) -> String {
    let text = settings(url, &format!("http = \"forward\"\n{more}"));
    let servers = format!("servers = [\"{url}\"]");
    let with = format!("{servers}\nproxy_protocol = \"{version}\"");
    assert!(text.contains(&servers), "{text}");
    text.replacen(&servers, &with, 1)
}

/// A client, and its own address.
async fn client(address: &str) -> (Wire, SocketAddr) {
    let stream = TcpStream::connect(address).await.unwrap();
    let own = stream.local_addr().unwrap();
    (Wire::client(stream), own)
}

fn parsed(address: &str) -> SocketAddr {
    address.parse().unwrap()
}

#[tokio::test]
async fn a_session_and_a_plain_request_come_behind_the_name_of_their_client() {
    for version in VERSIONS {
        let upstream = Upstream::start().await;
        let program = Program::run(&sending(upstream.url(), version, "")).await;
        let gate = parsed(&program.address);

        let (mut wire, own) = client(&program.address).await;
        wire.send(Request::websocket("/ws/").text()).await;
        let mut server = upstream.accept().await;
        assert_eq!(header(&mut server, version).await, Some([own, gate]));
        let asked = server.head().await;
        server.send(switching(&asked, "")).await;
        assert_eq!(wire.head().await.status(), 101);
        drop((wire, server));

        let (mut wire, own) = client(&program.address).await;
        wire.send(PLAIN).await;
        let mut server = upstream.accept().await;
        assert_eq!(header(&mut server, version).await, Some([own, gate]));
        assert_eq!(server.head().await.line, "GET /ws/ HTTP/1.1");
        server.send(answer("200 OK", "", "ok")).await;
        assert_eq!(wire.response().await.text(), "ok");
        program.stop().await;
    }
}

#[tokio::test]
async fn a_connection_of_one_client_never_carries_the_request_of_another() {
    let upstream = Upstream::start().await;
    let trusted = "[client_ip]\ntrusted_proxies = [\"127.0.0.0/8\"]\n[server]\nworkers = 1\n";
    let program = Program::run(&sending(upstream.url(), "v2", trusted)).await;
    let ask = |who: &str| format!("GET /ws/ HTTP/1.1\r\nHost: a\r\nX-Forwarded-For: {who}\r\n\r\n");
    // One proxy has the requests of both on one connection.
    let (mut proxy, _) = client(&program.address).await;
    let mut servers = Vec::new();
    for who in ["198.51.100.7", "2001:db8::7"] {
        proxy.send(ask(who)).await;
        let mut server = upstream.accept().await;
        let [source, destination] = header(&mut server, "v2").await.unwrap();
        assert_eq!(source.ip(), who.parse::<std::net::IpAddr>().unwrap());
        // The port of such a client is not known.
        assert_eq!(source.port(), 0);
        assert_eq!(destination.port(), parsed(&program.address).port());
        server.head().await;
        server.send(answer("200 OK", "", who)).await;
        assert_eq!(proxy.response().await.text(), who);
        servers.push(server);
    }
    // The connections are used again, each for its own client.
    for _ in 0..2 {
        for (server, who) in servers.iter_mut().zip(["198.51.100.7", "2001:db8::7"]) {
            proxy.send(ask(who)).await;
            let head = server.head().await;
            let forwarded = format!("{who}, 127.0.0.1");
            assert_eq!(head.one("x-forwarded-for"), forwarded);
            server.send(answer("200 OK", "", who)).await;
            assert_eq!(proxy.response().await.text(), who);
        }
    }
    // The proxy itself is another client, and has a port.
    let (mut other, own) = client(&program.address).await;
    other.send(PLAIN).await;
    let mut server = upstream.accept().await;
    assert_eq!(header(&mut server, "v2").await.unwrap()[0], own);
    assert!(upstream.untouched());
    drop((other, server));
    program.stop().await;
}

#[tokio::test]
async fn idle_connections_for_many_clients_are_as_few_as_for_one() {
    const MOST: usize = 32;
    let upstream = Upstream::start().await;
    let trusted = "[client_ip]\ntrusted_proxies = [\"127.0.0.0/8\"]\n[server]\nworkers = 1\n";
    let program = Program::run(&sending(upstream.url(), "v1", trusted)).await;
    let (mut proxy, _) = client(&program.address).await;
    let mut servers = Vec::new();
    for last in 0..=MOST {
        let who = format!("198.51.100.{last}");
        proxy
            .send(format!(
                "GET /ws/ HTTP/1.1\r\nHost: a\r\nX-Forwarded-For: {who}\r\n\r\n"
            ))
            .await;
        let mut server = upstream.accept().await;
        header(&mut server, "v1").await;
        server.head().await;
        server.send(answer("200 OK", "", &who)).await;
        assert_eq!(proxy.response().await.text(), who);
        servers.push(server);
    }
    // The first has made way, long before it has been idle for too long.
    let made_way = timeout(AT_ONCE, servers[0].end()).await;
    assert_eq!(made_way.expect("room for the last"), b"");
    program.stop().await;
}

#[tokio::test]
async fn tls_begins_behind_the_header() {
    let (authority, echo) = (Authority::new(), Echo::start().await);
    let shown = authority.issue("localhost", Validity::Now);
    let terminator = Terminator::start(shown, echo.url(), None).await;
    // Takes the header off before TLS.
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("wss://localhost:{}", listener.local_addr().unwrap().port());
    let mut tasks = JoinSet::new();
    let strip = async {
        let (mut stream, _) = listener.accept().await.unwrap();
        let mut line = Vec::new();
        while !line.ends_with(b"\r\n") {
            line.push(stream.read_u8().await.unwrap());
        }
        let mut behind = TcpStream::connect(terminator.address).await.unwrap();
        tasks.spawn(async move { copy_bidirectional(&mut stream, &mut behind).await });
        line
    };
    let tls = format!("[upstream.chat.tls]\nca = {:?}\n", authority.file());
    let program = Program::run(&sending(&url, "v1", &tls)).await;
    let (wire, own) = client(&program.address).await;
    let opened = Socket::open_on(wire, "gate.test", "/ws/", &[]);
    let (opened, line) = soon("a session", async { tokio::join!(opened, strip) }).await;
    let gate = parsed(&program.address);
    assert_eq!(named(&line, "v1"), Some([own, gate]));
    let mut socket = opened.ok().unwrap();
    socket.echoes("over TLS").await;
    socket.close().await;
    program.stop().await;
}

#[tokio::test]
async fn both_families_and_a_proxy_in_front_are_told_as_they_are() {
    let upstream = Upstream::start().await;
    let text = sending(upstream.url(), "v2", "");
    // A listener of IPv6, and one that gets the header itself.
    let listen = "[[listen]]\naddress = \"127.0.0.1:0\"";
    assert!(text.contains(listen), "{text}");
    let v6 = text.replacen(listen, "[[listen]]\naddress = \"[::1]:0\"", 1);
    let program = Program::run(&v6).await;
    let (mut wire, own) = client(&program.address).await;
    assert!(own.is_ipv6());
    wire.send(PLAIN).await;
    let mut server = upstream.accept().await;
    let gate = parsed(&program.address);
    assert_eq!(header(&mut server, "v2").await, Some([own, gate]));
    drop((wire, server));
    program.stop().await;

    let from =
        "[[listen]]\naddress = \"127.0.0.1:0\"\nproxy_protocol = { from = [\"127.0.0.0/8\"] }";
    let program = Program::run(&text.replacen(listen, from, 1)).await;
    for (sent, expected) in [
        (
            "PROXY TCP6 2001:db8::7 2001:db8::1 12345 443\r\n",
            Some(["[2001:db8::7]:12345", "[2001:db8::1]:443"]),
        ),
        // The proxy speaks for itself.
        ("PROXY UNKNOWN\r\n", None),
    ] {
        let (mut wire, own) = client(&program.address).await;
        wire.send([sent, PLAIN].concat()).await;
        let mut server = upstream.accept().await;
        let named = header(&mut server, "v2").await;
        let expected = expected.map(|pair| pair.map(parsed));
        let gate = parsed(&program.address);
        assert_eq!(named, expected.or(Some([own, gate])), "{sent}");
    }
    program.stop().await;
}

#[tokio::test]
async fn who_has_no_address_is_told_as_unknown_and_servers_on_unix_sockets_too_get_the_header() {
    for version in VERSIONS {
        let folder = tempfile::tempdir().unwrap();
        let upstream = Upstream::unix(&folder.path().join("back.sock"));
        let text = sending(upstream.url(), version, "");
        let text = text.replacen("127.0.0.1:0", "unix:gate.sock", 1);
        let program = Program::run(&text).await;
        for (header_line, expected) in [
            ("", None),
            // There is no destination either, on both sides.
            (
                "X-Forwarded-For: 198.51.100.7\r\n",
                Some(["198.51.100.7:0", "0.0.0.0:0"]),
            ),
        ] {
            let mut client = Wire::connect_unix(&program.file("gate.sock")).await;
            let request = PLAIN.replace("\r\n\r\n", &format!("\r\n{header_line}\r\n"));
            client.send(request).await;
            let mut server = upstream.accept().await;
            let named = header(&mut server, version).await;
            assert_eq!(named, expected.map(|pair| pair.map(parsed)), "{version}");
            server.head().await;
            server.send(answer("200 OK", "", "ok")).await;
            assert_eq!(client.response().await.text(), "ok");
        }
        program.stop().await;
    }
}

#[tokio::test]
async fn a_reload_makes_new_connections_begin_otherwise() {
    let upstream = Upstream::start().await;
    let text = |version| sending(upstream.url(), version, "[server]\nworkers = 1\n");
    let fixed = |text: String| text.replacen("127.0.0.1:0", "unix:gate.sock", 1);
    let program = Program::run(&fixed(text("off"))).await;
    let mut client = Wire::connect_unix(&program.file("gate.sock")).await;
    client.send(PLAIN).await;
    let (mut server, _) = upstream.request().await;
    server.send(answer("200 OK", "", "ok")).await;
    assert_eq!(client.response().await.text(), "ok");
    program.rewrite(&fixed(text("v1")));
    program.signal(Signal::HUP);
    program.event("settings reloaded").await;
    client.send(PLAIN).await;
    // Not on the connection that is idle.
    let mut server = upstream.accept().await;
    assert_eq!(header(&mut server, "v1").await, None);
    drop((client, server));
    program.stop().await;
}

/// Connects through a pipe that holds so much.
struct Pipe(usize, mpsc::Sender<DuplexStream>);

impl Connect for Pipe {
    async fn connect(&self, _: ServerTarget<'_>) -> Result<UpstreamStream, ConnectError> {
        let (ours, theirs) = duplex(self.0);
        let _kept = self.1.send(theirs).await;
        Ok(UpstreamStream::new(ours))
    }
}

#[tokio::test]
async fn a_plugin_writes_it_on_the_stream_of_its_connector() {
    let (pipes, mut opened) = mpsc::channel(1);
    let bench = setup(["ws://chat.example:9001"])
        .upstream("proxy_protocol = \"v1\"")
        .says(|peer, extensions| {
            extensions.insert(ClientAddr::Tcp(peer));
            extensions.insert(LocalAddr("203.0.113.1:443".parse().unwrap()));
        })
        .build(|builder| builder.connect(Pipe(4096, pipes)));
    let bench = bench.start().await;
    let (mut wire, own) = client(&bench.address.to_string()).await;
    wire.send(Request::websocket("/").text()).await;
    let mut server = Wire::of_upstream(soon("a connection", opened.recv()).await.unwrap());
    let gate = parsed("203.0.113.1:443");
    assert_eq!(header(&mut server, "v1").await, Some([own, gate]));
    assert_eq!(server.head().await.line, "GET / HTTP/1.1");
}

#[tokio::test]
async fn a_plugin_that_does_not_know_where_a_client_connected_to_names_the_server() {
    let upstream = Upstream::start().await;
    let bench = setup([upstream.url()]).upstream("proxy_protocol = \"v2\"");
    let bench = bench.start().await;
    let (mut wire, own) = client(&bench.address.to_string()).await;
    wire.send(Request::websocket("/").text()).await;
    let mut server = upstream.accept().await;
    let back = parsed(upstream.url().strip_prefix("ws://").unwrap());
    assert_eq!(header(&mut server, "v2").await, Some([own, back]));
}

#[tokio::test]
async fn a_server_that_does_not_take_the_header_has_the_time_of_a_connect() {
    let (pipes, _opened) = mpsc::channel(1);
    let bench = setup(["ws://chat.example:9001"])
        .upstream("proxy_protocol = \"v1\"\nconnect_timeout = \"200ms\"")
        .build(|builder| builder.connect(Pipe(8, pipes)));
    let bench = bench.start().await;
    let (head, _) = bench.refused(&Request::websocket("/")).await;
    assert_eq!(head.status(), 504);
}
