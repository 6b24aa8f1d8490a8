//! Cases I01 to I11: who a client says that it is, and which page sent it.

use crate::kit::{CANARY, Request, Stage};

/// What a stranger says of itself.
const FORGED: &str = "198.51.100.66";

fn from(origin: &str) -> Request {
    Stage::handshake().header("Origin", origin)
}

#[tokio::test]
async fn i01_an_unknown_client_sends_forwarding_headers() {
    let limits = "limits = { per_ip = { handshakes = { rate = \"1/h\", burst = 3 } } }";
    for forwarded in ["x-forwarded", "forwarded", "both", "off"] {
        let route = format!("headers = {{ forwarded = \"{forwarded}\" }}\n{limits}");
        let mut stage = Stage::set(&route).await;
        for index in 0..3 {
            let request = spoofing(index);
            let asked = stage.accepted(forwarded, request.text()).await;
            let own = |is_sent, value| if is_sent { value } else { "" };
            let (has_x, has_standard) = (
                matches!(forwarded, "x-forwarded" | "both"),
                matches!(forwarded, "forwarded" | "both"),
            );
            asked.assert(&[
                ("x-forwarded-for", own(has_x, "127.0.0.1")),
                ("x-forwarded-proto", own(has_x, "http")),
                ("x-forwarded-host", own(has_x, "gate.test")),
                (
                    "forwarded",
                    own(has_standard, "for=127.0.0.1;host=gate.test;proto=http"),
                ),
                ("x-real-ip", ""),
                ("x-forwarded-port", ""),
                ("x-forwarded-user", ""),
            ]);
            assert!(!format!("{asked:?}").contains(FORGED), "{asked:#?}");
        }
        // The limit is the peer's own, whoever it says that it is.
        let request = spoofing(4);
        stage
            .refused(forwarded, request.text(), 429, "handshake_rate")
            .await;
        for reason in ["accepted", "closed", "handshake_rate"] {
            let line = stage.line(reason).await;
            assert_eq!(line["client"], "127.0.0.1", "{line}");
        }
        stage.tells("untrusted_xff");
        let log = stage.program().lines().join("\n");
        assert!(!log.contains("198.51.100"), "{log}");
        stage.stands().await;
    }
}

/// A handshake with every header that a proxy would say it in, each time of another client.
fn spoofing(index: usize) -> Request {
    let other = format!("198.51.100.{index}");
    Stage::handshake()
        .header("X-Forwarded-For", FORGED)
        .header("x-forwarded-for", &format!("{other}, {FORGED}"))
        .header("X-FORWARDED-PROTO", "https")
        .header("X-Forwarded-Host", FORGED)
        .header("X-Forwarded-Port", "443")
        .header("X-Forwarded-User", FORGED)
        .header("X-Real-IP", &other)
        .header("Forwarded", &format!("for={other};host={FORGED}"))
        .header("forwarded", &format!("for=\"{FORGED}\""))
}

#[tokio::test]
async fn i04_a_header_imitates_one_of_the_gates() {
    let mut stage = Stage::set("").await;
    for name in [
        "X_Forwarded_For",
        "x.forwarded.for",
        "X-Forwarded_For",
        "X~Forwarded-For",
        "x_forwarded_proto",
        "X_Forwarded_Anything",
        "X_Real_IP",
        "X.REAL.IP",
        "Sec_WebSocket_Key",
        "sec.websocket.protocol",
        "Content_Length",
        "Transfer.Encoding",
    ] {
        let request = Stage::handshake().header(name, FORGED);
        stage
            .refused(name, request.text(), 400, "header_alias")
            .await;
    }
    stage.stands().await;
}

#[tokio::test]
async fn i04_a_header_imitates_one_of_the_routes() {
    let headers = "headers = { set = { x-gate = \"wsgate\", x-user = \"{client_ip}\" }, \
                   remove = [\"x-secret\", \"x-user-role\"] }";
    let mut stage = Stage::set(&format!("{headers}\nhttp = \"forward\"")).await;
    let spoil = |request: Request| {
        [
            "X-Gate",
            "x-GATE",
            "X_Gate",
            "x.gate",
            "X~Gate",
            "X-User",
            "X_USER",
            "X.User",
            "x`user",
            "X-Secret",
            "X_Secret",
            "x.secret",
            "X-User_Role",
            "X_User_Role",
            "X-Userx",
        ]
        .iter()
        .fold(request, |request, name| request.header(name, FORGED))
    };
    let own = [("x-gate", "wsgate"), ("x-user", "127.0.0.1")];
    let asked = stage
        .accepted("aliases", spoil(Stage::handshake()).text())
        .await;
    asked.assert(&own);
    assert_eq!(
        asked.names(),
        [
            "authorization",
            "connection",
            "cookie",
            "host",
            "sec-websocket-key",
            "sec-websocket-version",
            "upgrade",
            "via",
            "x-forwarded-for",
            "x-forwarded-host",
            "x-forwarded-proto",
            "x-gate",
            "x-user",
            "x-userx",
        ]
    );
    // A plain request gets no other treatment.
    let mut client = stage.client().await;
    client
        .send(spoil(Request::plain(&format!("/ws/room?{CANARY}"))).text())
        .await;
    let (server, asked) = stage.upstream.request().await;
    asked.assert(&own);
    assert_eq!(
        asked.names(),
        [
            "host",
            "via",
            "x-forwarded-for",
            "x-forwarded-host",
            "x-forwarded-proto",
            "x-gate",
            "x-user",
            "x-userx",
        ]
    );
    drop(client);
    drop(server);
    stage.stands().await;
}

#[tokio::test]
async fn i06_the_origin_is_absent() {
    let mut stage = Stage::set("").await;
    let asked = stage.accepted("allowed", Stage::handshake().text()).await;
    asked.assert(&[("origin", "")]);
    stage.stands().await;

    let mut stage = Stage::set("origin = { missing = \"deny\" }").await;
    let right = Stage::handshake();
    for (what, request, status, reason) in [
        ("absent", right.clone(), 403, "origin_missing"),
        (
            "of a draft",
            right
                .clone()
                .header("Sec-WebSocket-Origin", "http://gate.test"),
            403,
            "origin_missing",
        ),
        (
            "a referrer",
            right.clone().header("Referer", "http://gate.test/"),
            403,
            "origin_missing",
        ),
        ("empty", from(""), 400, "origin_invalid"),
    ] {
        stage.refused(what, request.text(), status, reason).await;
    }
    stage
        .accepted("there", from("http://gate.test").text())
        .await;
    stage.stands().await;
}

#[tokio::test]
async fn i07_the_origin_is_null_doubled_or_a_list() {
    let mut stage = Stage::set("origin = { allow = [\"*\"] }").await;
    stage
        .refused("null", from("null").text(), 403, "origin_denied")
        .await;
    let twice = from("http://gate.test");
    for request in [
        twice.clone().header("Origin", "http://gate.test"),
        twice.clone().header("ORIGIN", "http://evil.test"),
        twice.clone().header("origin", "null"),
        twice.header("Origin", ""),
    ] {
        let text = request.text();
        stage.refused(&text, &text, 400, "origin_invalid").await;
    }
    for any in [
        "",
        "localhost",
        "http://localhost/",
        "https://library.example/home",
    ] {
        let asked = stage.accepted(any, from(any).text()).await;
        asked.assert(&[("origin", any)]);
    }
    stage.stands().await;

    let mut stage = Stage::set("").await;
    for request in [
        from("NULL"),
        from("null, null"),
        from("http://gate.test, http://evil.test"),
        from("http://gate.test,http://gate.test"),
        from("http://evil.test http://gate.test"),
        from("http://gate.test/"),
        from("http://gate.test?x"),
        from("http://gate.test#x"),
        from("http://user@gate.test"),
        from("http://gate.test@evil.test"),
        from("http://gate.test:0x50"),
        from("http://gate.test:99999"),
        from("http://b\u{fc}cher.test"),
        from("http://[::1"),
        from("http://"),
        from("//gate.test"),
        from("gate.test"),
        from("*"),
    ] {
        let text = request.text();
        stage.refused(&text, &text, 400, "origin_invalid").await;
    }
    stage.stands().await;

    let mut stage = Stage::set("origin = { null = \"allow\" }").await;
    let asked = stage.accepted("null", from("null").text()).await;
    asked.assert(&[("origin", "null")]);
    let twice = from("null").header("Origin", "null");
    stage
        .refused("two", twice.text(), 400, "origin_invalid")
        .await;
    stage
        .refused(
            "other",
            from("http://evil.test").text(),
            403,
            "origin_denied",
        )
        .await;
    stage.stands().await;
}

#[tokio::test]
async fn i08_an_origin_is_compared_whole() {
    let listed = "origin = { allow = [\"https://app.test\", \"https://*.wild.test\"] }";
    let mut stage = Stage::set(listed).await;
    for origin in [
        "https://app.test",
        "HTTPS://APP.Test",
        "https://app.test:443",
        "https://a.wild.test",
    ] {
        let asked = stage.accepted(origin, from(origin).text()).await;
        // Compared in one form, sent on as it came.
        assert_eq!(asked.one("origin"), origin);
    }
    for origin in [
        "http://app.test",
        "http://app.test:443",
        "https://app.test:80",
        "https://app.test:8443",
        "https://app.test:4430",
        "ws://app.test",
        "wss://app.test",
        "https://www.app.test",
        "https://xapp.test",
        "https://app.test.evil.test",
        "https://app.tes",
        "https://app-test",
        "https://wild.test",
        "https://evilwild.test",
        "http://a.wild.test",
        "https://a.wild.test:8443",
        "https://a.wild.test.evil.test",
        "http://gate.test",
    ] {
        stage
            .refused(origin, from(origin).text(), 403, "origin_denied")
            .await;
    }
    stage.stands().await;
}

#[tokio::test]
async fn i08_same_origin_is_the_host_and_port_of_the_request() {
    let mut stage = Stage::set("origin = { allow = [\"same-origin\"] }").await;
    for (host, origin) in [
        ("gate.test", "http://gate.test"),
        ("gate.test", "http://gate.test:80"),
        ("GATE.test.", "HTTP://Gate.Test"),
        ("gate.test:8080", "http://gate.test:8080"),
        ("[::1]:8080", "http://[::1]:8080"),
    ] {
        let request = from(origin).with("Host", host);
        let asked = stage.accepted(origin, request.text()).await;
        assert_eq!(asked.one("origin"), origin);
    }
    for (host, origin) in [
        ("gate.test", "http://gate.test:8080"),
        ("gate.test:8080", "http://gate.test"),
        ("gate.test", "http://other.test"),
        ("gate.test", "http://sub.gate.test"),
        ("sub.gate.test", "http://gate.test"),
        ("gate.test", "http://gate.test.evil.test"),
        ("gate.test", "capacitor://gate.test"),
        ("[::1]", "http://[::2]"),
    ] {
        let what = format!("{origin} to {host}");
        let request = from(origin).with("Host", host);
        stage
            .refused(&what, request.text(), 403, "origin_denied")
            .await;
    }
    stage.stands().await;
}

#[tokio::test]
async fn i11_the_origin_goes_upstream_as_it_came_or_not_at_all() {
    let origin = "HTTPS://App.Test:443";
    let allow = "origin = { allow = [\"*\"] }";
    for (headers, sent) in [
        ("", origin),
        ("headers = { remove = [\"origin\"] }", ""),
        ("headers = { remove = [\"Origin\"] }", ""),
    ] {
        let mut stage = Stage::set(&format!("{allow}\n{headers}")).await;
        let asked = stage.accepted(headers, from(origin).text()).await;
        asked.assert(&[("origin", sent)]);
        stage.stands().await;
    }
}
