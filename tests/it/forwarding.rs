//! What the upstream is told of a request.

use http::Extensions;
use wsgate::{ClientAddr, OverTls};

use crate::kit::{Bench, Head, Logs, Request, Upstream, setup};

/// The request as it arrives at the upstream.
async fn arrived(bench: &Bench, upstream: &Upstream, request: &Request) -> Head {
    let _client = bench.ask(request).await;
    upstream.request().await.1
}

const TRUSTED: &str = "[client_ip]\ntrusted_proxies = [\"127.0.0.0/8\"]\n";
const TRUSTED_STANDARD: &str =
    "[client_ip]\ntrusted_proxies = [\"127.0.0.0/8\"]\nheader = \"forwarded\"\n";

#[tokio::test]
async fn the_upstream_gets_the_forwarding_headers_of_each_mode() {
    for (mode, expected) in [
        (
            "x-forwarded",
            [
                ("x-forwarded-for", "127.0.0.1"),
                ("x-forwarded-proto", "http"),
                ("x-forwarded-host", "gate.test:8080"),
                ("forwarded", ""),
            ],
        ),
        (
            "forwarded",
            [
                ("x-forwarded-for", ""),
                ("x-forwarded-proto", ""),
                ("x-forwarded-host", ""),
                (
                    "forwarded",
                    "for=127.0.0.1;host=\"gate.test:8080\";proto=http",
                ),
            ],
        ),
        (
            "both",
            [
                ("x-forwarded-for", "127.0.0.1"),
                ("x-forwarded-proto", "http"),
                ("x-forwarded-host", "gate.test:8080"),
                (
                    "forwarded",
                    "for=127.0.0.1;host=\"gate.test:8080\";proto=http",
                ),
            ],
        ),
        (
            "off",
            [
                ("x-forwarded-for", ""),
                ("x-forwarded-proto", ""),
                ("x-forwarded-host", ""),
                ("forwarded", ""),
            ],
        ),
    ] {
        let upstream = Upstream::start().await;
        let route = format!("headers.forwarded = {mode:?}");
        let bench = setup([upstream.url()]).route(&route).start().await;
        let request = Request::websocket("/").with("Host", "gate.test:8080");
        arrived(&bench, &upstream, &request).await.assert(&expected);
        // What a client that is no proxy says of that is not believed, and goes no further.
        let forged = request
            .header("X-Forwarded-For", "192.0.2.66")
            .header("X-Forwarded-For", "192.0.2.67")
            .header("X-Forwarded-Proto", "https")
            .header("X-Forwarded-Host", "evil.test")
            .header("X-Forwarded-User", "root")
            .header("X-Real-IP", "192.0.2.66")
            .header("Forwarded", "for=192.0.2.66;proto=https");
        let arrived = arrived(&bench, &upstream, &forged).await;
        arrived.assert(&expected);
        arrived.assert(&[("x-forwarded-user", ""), ("x-real-ip", "")]);
    }
}

#[tokio::test]
async fn the_headers_of_a_trusted_proxy_are_continued() {
    for (top, mode, expected) in [
        (
            TRUSTED,
            "both",
            [
                ("x-forwarded-for", "192.0.2.66, 192.0.2.7, 127.0.0.1"),
                ("x-forwarded-proto", "https"),
                ("x-forwarded-host", "front.test"),
                ("x-client", "192.0.2.7"),
                // It does not speak in that one, so that it may be anybody's.
                (
                    "forwarded",
                    "for=192.0.2.7, for=127.0.0.1;host=gate.test;proto=http",
                ),
            ],
        ),
        (
            TRUSTED_STANDARD,
            "forwarded",
            [
                ("x-forwarded-for", ""),
                ("x-forwarded-proto", ""),
                ("x-forwarded-host", ""),
                ("x-client", "198.51.100.9"),
                (
                    "forwarded",
                    "for=198.51.100.9;proto=https, for=127.0.0.1;host=gate.test;proto=http",
                ),
            ],
        ),
    ] {
        let upstream = Upstream::start().await;
        let route = format!("headers.forwarded = {mode:?}");
        let bench = setup([upstream.url()]).top(top).route(&route);
        let bench = bench
            .route("headers.set.x-client = \"{client_ip}\"")
            .start()
            .await;
        let request = Request::websocket("/")
            .header("X-Forwarded-For", "192.0.2.66")
            .header("X-Forwarded-For", "192.0.2.7")
            .header("X-Forwarded-Proto", "https")
            .header("X-Forwarded-Host", "front.test")
            .header("Forwarded", "for=198.51.100.9;proto=https");
        arrived(&bench, &upstream, &request).await.assert(&expected);
    }
}

#[tokio::test]
async fn a_unix_peer_is_a_trusted_one() {
    let upstream = Upstream::start().await;
    let says = |_, extensions: &mut Extensions| {
        extensions.insert(ClientAddr::Unix);
    };
    let setup = setup([upstream.url()]).says(says);
    let bench = setup
        .route("headers.set.x-client = \"{client_ip}\"")
        .start()
        .await;
    let request = Request::websocket("/").header("X-Forwarded-For", "2001:db8::7");
    arrived(&bench, &upstream, &request).await.assert(&[
        ("x-client", "2001:db8::7"),
        ("x-forwarded-for", "2001:db8::7, 127.0.0.1"),
    ]);
    let direct = arrived(&bench, &upstream, &Request::websocket("/")).await;
    direct.assert(&[("x-client", "127.0.0.1"), ("x-forwarded-for", "127.0.0.1")]);
}

#[tokio::test]
async fn the_clients_own_headers_arrive_unchanged() {
    let upstream = Upstream::start().await;
    let bench = setup([upstream.url()]).start().await;
    let request = Request::websocket("/")
        .with("Host", "Gate.test:8080")
        .header("Origin", "http://gate.test:8080")
        .header("Cookie", "a=1; b=\"2\"")
        .header("Cookie", "c=3")
        .header("Authorization", "Bearer abc.def")
        .header("User-Agent", "test")
        .header("Accept-Language", "fr, de;q=0.5")
        .header("X-Own", "\u{fc}ber")
        .header("X_Own", "1");
    let arrived = arrived(&bench, &upstream, &request).await;
    assert_eq!(arrived.line, "GET / HTTP/1.1");
    arrived.assert(&[
        ("host", "gate.test:8080"),
        ("origin", "http://gate.test:8080"),
        ("cookie", "a=1; b=\"2\" | c=3"),
        ("authorization", "Bearer abc.def"),
        ("user-agent", "test"),
        ("accept-language", "fr, de;q=0.5"),
        ("x-own", "\u{fc}ber"),
        ("x_own", "1"),
    ]);
}

#[tokio::test]
async fn what_ends_at_this_hop_goes_no_further() {
    let upstream = Upstream::start().await;
    let bench = setup([upstream.url()]).start().await;
    let request = Request::websocket("/")
        .with("Connection", "keep-alive, Upgrade, X-Nominated, TE")
        .header("X-Nominated", "1")
        .header("Keep-Alive", "timeout=5")
        .header("TE", "trailers")
        .header("Proxy-Authorization", "Basic abc")
        .header("Proxy", "evil.test")
        .header("Expect", "100-continue")
        .header("Content-Length", "0");
    let arrived = arrived(&bench, &upstream, &request).await;
    arrived.assert(&[
        ("connection", "Upgrade"),
        ("x-nominated", ""),
        ("keep-alive", ""),
        ("te", ""),
        ("proxy-authorization", ""),
        ("proxy", ""),
        ("expect", ""),
        ("content-length", ""),
        ("transfer-encoding", ""),
    ]);
}

#[tokio::test]
async fn headers_are_removed_and_set() {
    let upstream = Upstream::start().await;
    let setup = setup([upstream.url()])
        .route("path = \"/rooms/{id}/*\"")
        .route(
            r#"headers.remove = ["cookie", "x-drop"]
        headers.set.x-gate = "{route} {{}} at {host}"
        headers.set.x-room = "{path.id}"
        headers.set.x-client = "{client_ip}"
        headers.set.authorization = "Basic gate""#,
        );
    let bench = setup.start().await;
    let request = Request::websocket("/rooms/a%20b/c")
        .header("Cookie", "a=1")
        .header("X-Drop", "1")
        .header("X_Drop", "2")
        .header("X-Room", "forged")
        .header("x_room", "forged")
        .header("X-Client", "forged")
        .header("Authorization", "Bearer client");
    arrived(&bench, &upstream, &request).await.assert(&[
        ("cookie", ""),
        ("x-drop", ""),
        ("x_drop", ""),
        ("x-gate", "test {} at gate.test"),
        ("x-room", "a%20b"),
        ("x_room", ""),
        ("x-client", "127.0.0.1"),
        ("authorization", "Basic gate"),
    ]);
}

#[tokio::test]
async fn the_target_is_the_base_path_the_route_and_the_clients_query() {
    for (path, rewrite, base, asked, target) in [
        ("/*", "", "", "/", "/"),
        (
            "/*",
            "",
            "",
            "/a//b/%C3%A9?x=%2f..&y",
            "/a//b/%C3%A9?x=%2f..&y",
        ),
        ("/*", "", "/base", "/a?b", "/base/a?b"),
        ("/ws/*", "", "", "/ws/a", "/ws/a"),
        ("/ws/*", "/socket/*", "", "/ws/a/b?c=d", "/socket/a/b?c=d"),
        ("/ws/*", "/socket", "/base", "/ws/a/b?", "/base/socket?"),
        (
            "/rooms/{id}",
            "/r/{id}/live",
            "/v1",
            "/rooms/a%20b",
            "/v1/r/a%20b/live",
        ),
    ] {
        let upstream = Upstream::start().await;
        let url = format!("{}{base}", upstream.url());
        let mut setup = setup([&*url]).route(&format!("path = {path:?}"));
        if !rewrite.is_empty() {
            setup = setup.route(&format!("rewrite = {rewrite:?}"));
        }
        let bench = setup.start().await;
        let arrived = arrived(&bench, &upstream, &Request::websocket(asked)).await;
        assert_eq!(arrived.target(), target, "{path} {rewrite} {base}");
    }
}

#[tokio::test]
async fn an_absolute_target_goes_on_in_origin_form() {
    let upstream = Upstream::start().await;
    let bench = setup([upstream.url()]).start().await;
    let request = Request::websocket("/").line("GET http://gate.test/a?b HTTP/1.1");
    let arrived = arrived(&bench, &upstream, &request).await;
    assert_eq!(arrived.target(), "/a?b");
    arrived.assert(&[("host", "gate.test"), ("x-forwarded-proto", "http")]);
}

#[tokio::test]
async fn a_host_of_its_own_may_be_set_for_the_upstream() {
    let upstream = Upstream::start().await;
    let bench = setup([upstream.url()])
        .route("headers.set.host = \"inside.test\"")
        .start()
        .await;
    let arrived = arrived(&bench, &upstream, &Request::websocket("/")).await;
    arrived.assert(&[("host", "inside.test"), ("x-forwarded-host", "gate.test")]);
}

#[tokio::test]
async fn a_client_cannot_claim_tls_by_its_target() {
    let upstream = Upstream::start().await;
    let bench = setup([upstream.url()]).start().await;
    for scheme in ["https", "wss", "HTTPS"] {
        let line = format!("GET {scheme}://gate.test/ HTTP/1.1");
        let request = Request::websocket("/").line(&line);
        let arrived = arrived(&bench, &upstream, &request).await;
        arrived.assert(&[("x-forwarded-proto", "http")]);
    }
}

#[tokio::test]
async fn a_host_that_ends_tls_says_so() {
    let upstream = Upstream::start().await;
    let route = "headers.forwarded = \"both\"";
    let bench = setup([upstream.url()])
        .route(route)
        .says(|peer, extensions| {
            extensions.insert(ClientAddr::from(peer));
            extensions.insert(OverTls::new());
        });
    let bench = bench.start().await;
    let arrived = arrived(&bench, &upstream, &Request::websocket("/")).await;
    arrived.assert(&[
        ("x-forwarded-proto", "https"),
        ("forwarded", "for=127.0.0.1;host=gate.test;proto=https"),
    ]);
    // A page that anybody on the way may have written is not of the same origin then.
    for (origin, status) in [("http://gate.test", 403), ("https://gate.test", 502)] {
        let mut client = bench
            .ask(&Request::websocket("/").header("Origin", origin))
            .await;
        if status == 502 {
            drop(upstream.request().await);
        }
        assert_eq!(client.head().await.status(), status, "{origin}");
    }
}

#[tokio::test]
async fn a_proxy_that_is_not_listed_is_logged_once() {
    let logs = Logs::capture();
    let hints = || {
        let lines = logs.all().into_iter();
        let lines = lines.filter(|line| line.field("reason") == "untrusted_xff");
        lines.collect::<Vec<_>>()
    };
    let upstream = Upstream::start().await;
    for (name, value) in [
        ("X-Forwarded-For", "192.0.2.66"),
        ("Forwarded", "for=192.0.2.66"),
        ("X-Real-IP", "192.0.2.66"),
    ] {
        let before = hints().len();
        let bench = setup([upstream.url()]).start().await;
        let request = Request::websocket("/").header(name, value);
        arrived(&bench, &upstream, &Request::websocket("/")).await;
        assert_eq!(hints().len(), before, "nothing was said");
        for _ in 0..5 {
            arrived(&bench, &upstream, &request).await;
        }
        // A refused one as well.
        bench.refused(&request.without("Sec-WebSocket-Key")).await;
        assert_eq!(hints().len(), before + 1, "{name}");
        let hint = hints().pop().unwrap();
        assert_eq!(hint.field("header"), name.to_lowercase());
        assert!(hint.field("peer").starts_with("127.0.0.1:"), "{hint:?}");
        assert!(hint.message.contains("client_ip.trusted_proxies"));
        assert!(!format!("{hint:?}").contains("192.0.2.66"), "{hint:?}");
    }
    let before = hints().len();
    let bench = setup([upstream.url()]).top(TRUSTED).start().await;
    let request = Request::websocket("/").header("X-Forwarded-For", "192.0.2.66");
    arrived(&bench, &upstream, &request).await;
    assert_eq!(hints().len(), before, "it is believed");
}
