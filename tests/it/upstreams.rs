//! Which server takes a session, and what happens when one cannot.

use std::collections::HashSet;

use crate::kit::{Bench, Echo, Frame, Request, Socket, Upstream, setup, until};

/// The name of the server that a real client's session came to.
fn server(socket: &Socket) -> &str {
    socket.response.headers()["x-server"].to_str().unwrap()
}

#[tokio::test]
async fn the_server_with_the_fewest_sessions_takes_the_next() {
    let (a, b) = (Echo::named("a").await, Echo::named("b").await);
    let bench = setup([a.url(), b.url()]).start().await;
    let mut sockets = Vec::new();
    for _ in 0..6 {
        sockets.push(bench.open().await);
    }
    assert_eq!((a.taken(), b.taken()), (3, 3));
    // Those of `a` end, and so the next three are its own.
    let (of_a, of_b): (Vec<_>, Vec<_>) = sockets.into_iter().partition(|s| server(s) == "a");
    for socket in of_a {
        socket.close_with(1000, "").await;
    }
    until("the sessions to end", || bench.handle.sessions().len() == 3).await;
    let mut next = Vec::new();
    for _ in 0..3 {
        next.push(bench.open().await);
        assert_eq!(server(next.last().unwrap()), "a");
    }
    assert_eq!((of_b.len(), a.taken(), b.taken()), (3, 6, 3));
}

#[tokio::test]
async fn sessions_are_counted_by_weight() {
    let (a, b) = (Echo::named("a").await, Echo::named("b").await);
    for balance in ["least_connections", "round_robin"] {
        let before = (a.taken(), b.taken());
        let setup = setup([b.url()]).weighted(a.url(), 3);
        let bench = setup
            .upstream(&format!("balance = {balance:?}"))
            .start()
            .await;
        let mut sockets = Vec::new();
        for _ in 0..8 {
            sockets.push(bench.open().await);
        }
        assert_eq!(
            (a.taken() - before.0, b.taken() - before.1),
            (6, 2),
            "{balance}"
        );
    }
}

#[tokio::test]
async fn servers_take_turns() {
    let (a, b) = (Echo::named("a").await, Echo::named("b").await);
    let setup = setup([a.url(), b.url()]).upstream("balance = \"round_robin\"");
    let bench = setup.start().await;
    let mut turns = Vec::new();
    for _ in 0..6 {
        // How many are open does not matter.
        let socket = bench.open().await;
        turns.push(server(&socket).to_owned());
        socket.close_with(1000, "").await;
    }
    assert_eq!(turns, ["a", "b", "a", "b", "a", "b"]);
}

#[tokio::test]
async fn a_client_comes_to_its_own_server_again() {
    let (a, b) = (Echo::named("a").await, Echo::named("b").await);
    let setup = setup([a.url(), b.url()]).upstream("balance = \"ip_hash\"");
    let trusted = "[client_ip]\ntrusted_proxies = [\"127.0.0.1\"]\n";
    let bench = setup.top(trusted).start().await;
    let mut seen = HashSet::new();
    for number in 0..32 {
        let client = format!("192.0.2.{number}");
        let mut servers = HashSet::new();
        for _ in 0..3 {
            let header = [("x-forwarded-for", &*client)];
            let socket = Socket::try_open(&bench.address.to_string(), "/", &header)
                .await
                .unwrap();
            servers.insert(server(&socket).to_owned());
        }
        assert_eq!(servers.len(), 1, "{client} came to {servers:?}");
        seen.extend(servers);
    }
    assert_eq!(seen.len(), 2, "all came to {seen:?}");
}

#[tokio::test]
async fn two_choices_use_both_servers() {
    let (a, b) = (Echo::named("a").await, Echo::named("b").await);
    let setup = setup([a.url(), b.url()]).upstream("balance = \"random_two\"");
    let bench = setup.start().await;
    let mut sockets = Vec::new();
    for _ in 0..10 {
        sockets.push(bench.open().await);
    }
    // Of two servers the two choices are both, and the one with fewer sessions is taken.
    assert_eq!((a.taken(), b.taken()), (5, 5));
}

#[tokio::test]
async fn a_server_has_only_so_many_sessions() {
    let (a, b) = (Echo::named("a").await, Echo::named("b").await);
    let bench = setup([a.url(), b.url()])
        .upstream("max_connections = 1")
        .start()
        .await;
    let first = bench.open().await;
    let _second = bench.open().await;
    assert_eq!((a.taken(), b.taken()), (1, 1));
    let (head, body) = bench.refused(&Request::websocket("/")).await;
    assert_eq!((head.status(), &*body), (503, "the backend is full\n"));
    assert!(head.one("retry-after").parse::<u64>().unwrap() > 0);
    let freed = server(&first).to_owned();
    first.close_with(1000, "").await;
    until("the session to end", || bench.handle.sessions().len() == 1).await;
    assert_eq!(server(&bench.open().await), freed);
}

#[tokio::test]
async fn a_handshake_that_fails_gives_its_place_on_the_server_back() {
    let upstream = Upstream::start().await;
    let bench = setup([upstream.url()])
        .upstream("max_connections = 1")
        .start()
        .await;
    for _ in 0..3 {
        let mut client = bench.ask(&Request::websocket("/")).await;
        drop(upstream.request().await);
        assert_eq!(client.response().await.status(), 502);
    }
    // As does one whose client has left.
    let client = bench.ask(&Request::websocket("/")).await;
    let (mut server, _) = upstream.request().await;
    drop(client);
    server.end().await;
    bench.session(&upstream).await;
}

#[tokio::test]
async fn a_server_may_be_on_a_unix_socket() {
    let folder = tempfile::tempdir().unwrap();
    let echo = Echo::unix(&folder.path().join("echo.sock"));
    let bench = setup([echo.url()]).start().await;
    bench.open().await.echoes("hello").await;
    let session = bench.handle.sessions();
    assert_eq!(&*session[0].server, echo.url());

    let upstream = Upstream::unix(&folder.path().join("base.sock"));
    let url = format!("{}:/base", upstream.url());
    let bench = setup([&*url]).start().await;
    let _client = bench.ask(&Request::websocket("/a?b")).await;
    let (_, request) = upstream.request().await;
    assert_eq!(request.target(), "/base/a?b");
    request.assert(&[("host", "gate.test")]);

    let nobody = format!("unix:{}", folder.path().join("nobody.sock").display());
    let bench = setup([&*nobody]).start().await;
    assert_eq!(bench.try_open().await.err(), Some(502));
}

#[tokio::test]
async fn a_server_that_comes_back_is_used_again() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("back.sock");
    let url = format!("unix:{}", path.display());
    let bench = setup([&*url]).start().await;
    assert_eq!(bench.try_open().await.err(), Some(502));
    let echo = Echo::unix(&path);
    bench.open().await.echoes("hello").await;
    assert_eq!(echo.taken(), 1);
}

#[tokio::test]
async fn a_lost_server_ends_its_sessions_and_no_others() {
    let (a, b) = (Upstream::start().await, Upstream::start().await);
    let setup = setup([a.url(), b.url()]).upstream("balance = \"round_robin\"");
    let bench: Bench = setup.start().await;
    let (mut one, one_up) = bench.session(&a).await;
    let (mut other, mut other_up) = bench.session(&b).await;
    drop(one_up);
    one.expect_close(1011).await;
    other.send_frames(&[Frame::text("still")]).await;
    other_up.expect(Frame::text("still")).await;
}

#[tokio::test]
async fn a_server_may_have_a_name() {
    let echo = Echo::start().await;
    let url = echo.url().replace("127.0.0.1", "localhost");
    let bench = setup([&*url]).start().await;
    bench.open().await.echoes("hello").await;
    let nowhere = setup(["ws://nowhere.invalid:9"]).start().await;
    assert_eq!(nowhere.try_open().await.err(), Some(502));
}
