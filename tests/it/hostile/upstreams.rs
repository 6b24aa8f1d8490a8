//! Cases U01 to U03: upstreams that cannot be reached, hang, or hang up.

use rstest::rstest;

use crate::kit::{ACCEPT, Answer, Frame, Hop, Host, Mood, Stage, Upstream, Wire, soon, switching};
use tokio::net::{TcpSocket, TcpStream};

/// A pool of these servers, taken in turns.
fn pool<'a>(servers: impl IntoIterator<Item = &'a str>, more: &str) -> String {
    let servers: Vec<_> = servers.into_iter().collect();
    format!("servers = {servers:?}\nbalance = \"round_robin\"\n{more}")
}

/// A client's handshake that has to be answered with this, for this reason.
async fn refused(stage: &mut Stage, what: &str, status: u16, reason: &str) {
    let mut client = stage.client().await;
    client.send(Stage::handshake().text()).await;
    is_refused(stage, &mut client, what, status, reason).await;
}

/// Reads the answer, which is the first and the last that the client hears.
async fn is_refused(stage: &mut Stage, client: &mut Wire, what: &str, status: u16, reason: &str) {
    let (head, body) = client.response().await.parts();
    assert_eq!(head.status(), status, "{what}: {head:#?}");
    head.assert(&[("connection", "close"), ("upgrade", "")]);
    let expected = match reason {
        "upstream_refused" => "the backend cannot be reached\n",
        "upstream_timeout" => "the backend did not answer in time\n",
        _ => "the backend hung up\n",
    };
    assert_eq!(body, expected, "{what}");
    client.expect_end().await;
    stage.refuses(reason);
}

#[rstest]
#[tokio::test]
async fn u01_connection_refused_and_another_server_takes_it(
    #[values(Host::Program, Host::HyperService)] host: Host,
) {
    for (servers, settings, failures) in [
        // By turns, the first of which are the dead servers'.
        (1, "retries = 1\npassive.failures = 0", &[1, 0, 1][..]),
        (1, "retries = 100\npassive.failures = 0", &[1, 0, 1]),
        (2, "retries = 2\npassive.failures = 0", &[2, 0, 1, 1]),
        // They are tried last once they have failed.
        (1, "retries = 1", &[1, 0, 0, 0]),
        (2, "", &[2, 0, 0, 0]),
    ] {
        let upstream = Upstream::start().await;
        let dead: Vec<_> = (0..servers).map(|_| Upstream::dead()).collect();
        let all = dead.iter().map(Upstream::url).chain([upstream.url()]);
        let pool = pool(all, settings);
        let mut stage = Stage::on_with(host, upstream, &pool, "", "").await;
        for &failed in failures {
            let (client, server) = stage.session().await;
            (0..failed).for_each(|_| stage.tells("connect failed"));
            stage.talks(client, server).await;
        }
        stage.stands().await;
    }
}

#[rstest]
#[tokio::test]
async fn u01_connection_refused_and_no_server_takes_it(
    #[values(Host::Program, Host::HyperService)] host: Host,
) {
    for (servers, retries, failed) in [(1, 0, 1), (1, 3, 1), (2, 1, 2), (3, 1, 2), (3, 9, 3)] {
        let upstream = Upstream::start().await;
        let dead: Vec<_> = (0..servers).map(|_| Upstream::dead()).collect();
        let pool = pool(
            dead.iter().map(Upstream::url),
            &format!("retries = {retries}"),
        );
        let mut stage = Stage::on_with(host, upstream, &pool, "", "").await;
        let what = format!("{servers} servers, {retries} retries");
        refused(&mut stage, &what, 502, "upstream_refused").await;
        let line = stage.line("upstream_refused").await;
        assert_eq!(line["upstream"], "attacked", "{line}");
        assert!(
            dead.iter().any(|dead| line["server"] == dead.url()),
            "{line}"
        );
        assert!(line["error"].to_string().contains("refused"), "{line}");
        // The last failure stands in the line of the refusal.
        (1..failed).for_each(|_| stage.tells("connect failed"));
        stage.stands().await;
    }
}

#[rstest]
#[tokio::test]
async fn u01_connection_refused_without_retries(
    #[values(Host::Program, Host::HyperService)] host: Host,
) {
    let (upstream, dead) = (Upstream::start().await, Upstream::dead());
    let pool = pool([dead.url(), upstream.url()], "retries = 0");
    let mut stage = Stage::on_with(host, upstream, &pool, "", "").await;
    refused(
        &mut stage,
        "the dead server's turn",
        502,
        "upstream_refused",
    )
    .await;
    assert!(stage.upstream.untouched());
    let (client, server) = stage.session().await;
    stage.talks(client, server).await;
    stage.stands().await;
}

/// Nobody can know whether a request that was sent had an effect.
#[rstest]
#[tokio::test]
async fn u01_nothing_is_tried_again_once_the_request_was_sent(
    #[values(Host::Program, Host::HyperService)] host: Host,
) {
    for (what, bytes) in [
        ("nothing", &b""[..]),
        ("an interim answer", b"HTTP/1.1 100 Continue\r\n\r\n"),
        ("half a head", b"HTTP/1.1 101 Switching"),
    ] {
        let (upstream, other) = (Upstream::start().await, Upstream::start().await);
        let pool = pool([upstream.url(), other.url()], "retries = 5");
        let mut stage = Stage::on_with(host, upstream, &pool, "", "").await;
        let answer = Answer::new(bytes).and_ends();
        stage.answered(what, answer, 502, "upstream_reset").await;
        assert!(other.untouched(), "{what}");
        // What comes to the other server is the next client's.
        let mut client = stage.client().await;
        let next = Stage::handshake().text().replace("/ws/room", "/ws/next");
        client.send(next).await;
        let (mut server, asked) = other.request().await;
        assert!(asked.target().starts_with("/ws/next"), "{asked:?}");
        server.send(switching(&asked, "")).await;
        assert_eq!(client.head().await.status(), 101, "{what}");
        stage.was_accepted();
        stage.talks(client, server).await;
        stage.stands().await;
    }
}

/// A server whose queue of connections is full: the kernel answers no more of them.
async fn full() -> (tokio::net::TcpListener, TcpStream, String) {
    let socket = TcpSocket::new_v4().expect("a socket");
    let any = "127.0.0.1:0".parse().expect("an address");
    socket.bind(any).expect("a port");
    let listener = socket.listen(0).expect("a listener");
    let address = listener.local_addr().expect("an address");
    let taken = TcpStream::connect(address).await.expect("a connection");
    (listener, taken, format!("ws://{address}"))
}

#[rstest]
#[tokio::test]
async fn u02_upstream_takes_no_connection(#[values(Host::Program, Host::HyperService)] host: Host) {
    let (_held, _taken, url) = full().await;
    let pool = pool([&*url], "connect_timeout = \"300ms\"");
    let mut stage = Stage::on_with(host, Upstream::start().await, &pool, "", "").await;
    refused(&mut stage, "a full queue", 504, "upstream_timeout").await;
    stage.stands().await;
}

#[rstest]
#[tokio::test]
async fn u02_upstream_takes_no_connection_and_another_one_does(
    #[values(Host::Program, Host::HyperService)] host: Host,
) {
    let (_held, _taken, url) = full().await;
    let upstream = Upstream::start().await;
    let pool = pool([&*url, upstream.url()], "connect_timeout = \"300ms\"");
    let mut stage = Stage::on_with(host, upstream, &pool, "", "").await;
    let (client, server) = stage.session().await;
    stage.tells("connect failed");
    stage.talks(client, server).await;
    stage.stands().await;
}

#[rstest]
#[tokio::test]
async fn u02_upstream_hangs_before_its_request_is_read(
    #[values(Host::Program, Host::HyperService)] host: Host,
) {
    let upstream = Upstream::start().await;
    let other = Upstream::start().await;
    let servers = [upstream.url(), other.url()];
    let pool = pool(servers, "handshake_timeout = \"300ms\"\nretries = 5");
    let mut stage = Stage::on_with(host, upstream, &pool, "", "").await;
    let mut client = stage.client().await;
    client.send(Stage::handshake().text()).await;
    let mut server = stage.upstream.accept().await;
    is_refused(&mut stage, &mut client, "unread", 504, "upstream_timeout").await;
    server.end().await;
    assert!(other.untouched());
    stage.stands().await;
}

#[rstest]
#[tokio::test]
async fn u02_no_byte_of_a_101_that_drips_and_stalls_reaches_the_client(
    #[values(Host::Program, Host::HyperService)] host: Host,
) {
    let upstream = Upstream::start().await;
    let hop = Hop::to(upstream.url()).await;
    hop.set(Mood::Drip);
    let pool = pool([&*hop.url()], "handshake_timeout = \"500ms\"");
    let mut stage = Stage::on_with(host, upstream, &pool, "", "").await;
    for part in [
        "HTTP/1.1 101",
        "Connection: Upgrade\r\n",
        ACCEPT,
        "\r\n\r\n",
    ] {
        let mut client = stage.client().await;
        client.send(Stage::handshake().text()).await;
        let (mut server, asked) = stage.upstream.request().await;
        let right = switching(&asked, "");
        let accept = asked_accept(&right);
        let part = part.replace(ACCEPT, accept);
        let stop = right.find(&part).expect("a part of it") + part.len() - 1;
        server.send(&right[..stop]).await;
        assert_eq!(client.there(), b"");
        is_refused(&mut stage, &mut client, &part, 504, "upstream_timeout").await;
        // What is left of it comes too late for anybody.
        server.try_send(&right.as_bytes()[stop..]).await;
        server.end().await;
    }
    drop(hop);
    stage.stands().await;
}

fn asked_accept(right: &str) -> &str {
    let (_, accept) = right.split_once("Accept: ").expect("a line");
    accept.trim_end()
}

/// What the upstream has sent by the time that it is lost.
fn beginnings() -> [(&'static str, &'static str); 5] {
    [
        ("nothing", ""),
        ("an interim answer", "HTTP/1.1 103 Early Hints\r\n\r\n"),
        ("one byte", "H"),
        (
            "a part of a head",
            "HTTP/1.1 101 Switching Protocols\r\nUpgrade: web",
        ),
        (
            "a part of a refusal",
            "HTTP/1.1 403 No\r\nContent-Length: 9\r\n\r\nno",
        ),
    ]
}

#[rstest]
#[tokio::test]
async fn u03_upstream_ends_before_its_101_is_whole(
    #[values(Host::Program, Host::HyperService)] host: Host,
) {
    let (upstream, other) = (Upstream::start().await, Upstream::start().await);
    let pool = pool([upstream.url()], "retries = 3");
    let mut stage = Stage::on_with(host, upstream, &pool, "", "").await;
    for (what, beginning) in beginnings() {
        let answer = Answer::new(beginning).and_ends();
        stage.answered(what, answer, 502, "upstream_reset").await;
    }
    // Before the request is even read.
    let mut client = stage.client().await;
    client.send(Stage::handshake().text()).await;
    drop(stage.upstream.accept().await);
    is_refused(&mut stage, &mut client, "unread", 502, "upstream_reset").await;
    assert!(other.untouched());
    stage.stands().await;
}

#[rstest]
#[tokio::test]
async fn u03_upstream_resets_before_its_101_is_whole(
    #[values(Host::Program, Host::HyperService)] host: Host,
) {
    for (what, beginning) in beginnings() {
        let (upstream, other) = (Upstream::start().await, Upstream::start().await);
        let hop = Hop::to(upstream.url()).await;
        let pool = pool([&*hop.url(), other.url()], "retries = 3");
        let mut stage = Stage::on_with(host, upstream, &pool, "", "").await;
        let mut client = stage.client().await;
        client.send(Stage::handshake().text()).await;
        let (mut server, _) = stage.upstream.request().await;
        server.send(beginning).await;
        // Whether or not the gate has read it by now, the end is the same.
        hop.reset();
        is_refused(&mut stage, &mut client, what, 502, "upstream_reset").await;
        server.end().await;
        assert!(other.untouched(), "{what}");
        drop(hop);
        stage.stands().await;
    }
}

#[rstest]
#[tokio::test]
async fn u03_upstream_is_lost_behind_its_101(
    #[values(Host::Program, Host::HyperService)] host: Host,
) {
    let upstream = Upstream::start().await;
    let hop = Hop::to(upstream.url()).await;
    let mut stage = Stage::on_with(host, upstream, &pool([&*hop.url()], ""), "", "").await;
    for resets in [true, false] {
        let (mut client, mut server) = stage.session().await;
        match resets {
            true => hop.reset(),
            false => server.shut().await,
        }
        assert_eq!(
            client.close_frame().await,
            (Some(1011), "upstream lost".to_owned())
        );
        client.send_frame(&Frame::close(1011, "")).await;
        client.expect_end().await;
        soon("the upstream's end", server.end()).await;
        stage.ends("upstream_lost");
    }
    drop(hop);
    stage.stands().await;
}
