//! Case H17: headers that `Connection` is to take out of the request.

use rstest::rstest;

use crate::kit::{Host, Stage};

/// A right handshake whose Connection lines are these.
fn connection(lines: &[&str]) -> String {
    let bare = Stage::handshake().without("Connection");
    let request = lines
        .iter()
        .fold(bare, |request, line| request.header("Connection", line));
    request.text()
}

#[rstest]
#[tokio::test]
async fn h17_connection_nominates_a_header_of_the_gate(
    #[values(Host::Program, Host::HyperService, Host::Axum)] host: Host,
) {
    let mut stage = Stage::on(host, "").await;
    for name in [
        "Host",
        "Sec-WebSocket-Key",
        "sec-websocket-version",
        "SEC-WEBSOCKET-EXTENSIONS",
        "Sec-WebSocket-Protocol",
        "Origin",
        "oRIGIN",
        "Authorization",
        "AUTHORIZATION",
        "cookie",
        "Cookie",
        "X-Forwarded-For",
        "x-forwarded-for",
        "X-FORWARDED-PROTO",
        "X-Forwarded-Host",
        "X-Forwarded-User",
        "X-Real-IP",
        "x-REAL-ip",
        "Forwarded",
        "Content-Length",
        "Transfer-Encoding",
        "X_Forwarded_For",
        "X.Real.IP",
        "x-real_ip",
    ] {
        for lines in [
            &[format!("Upgrade, {name}")][..],
            &[format!("{name},Upgrade")],
            &["Upgrade".to_owned(), name.to_owned()],
        ] {
            let lines: Vec<_> = lines.iter().map(String::as_str).collect();
            let what = lines.join(" | ");
            stage
                .refused(&what, connection(&lines), 400, "connection_nominates")
                .await;
        }
    }
    stage.stands().await;
}

#[rstest]
#[tokio::test]
async fn h17_connection_nominates_in_three_lines_or_what_is_no_name(
    #[values(Host::Program, Host::HyperService, Host::Axum)] host: Host,
) {
    let mut stage = Stage::on(host, "").await;
    for lines in [
        &["keep-alive", " ,\tx-forwarded-for\t, ", "Upgrade"][..],
        &["", "Upgrade", ",,X-Forwarded-For,,"],
        &["Upgrade", "x-a, x-b, x-c, ORIGIN, x-d"],
    ] {
        let what = lines.join(" | ");
        stage
            .refused(&what, connection(lines), 400, "connection_nominates")
            .await;
    }
    for value in [
        "Upgrade, \"X-Forwarded-For\"",
        "Upgrade, x forwarded for",
        "Upgrade, x-a;q=1",
        "Upgrade, x-a\u{e9}",
        "Upgrade, (x-a)",
    ] {
        stage
            .refused(value, connection(&[value]), 400, "bad_header")
            .await;
    }
    stage.stands().await;
}

#[rstest]
#[tokio::test]
async fn h17_nominated_headers_end_here_and_the_gates_own_come_after(
    #[values(Host::Program, Host::HyperService, Host::Axum)] host: Host,
) {
    let set = "headers = { set = { x-gate = \"wsgate\", x-user = \"{client_ip}\" } }";
    let mut stage = Stage::on(host, set).await;
    let request = Stage::handshake()
        .without("Connection")
        .header("connection", "Upgrade, x-private, X-GATE, x_user")
        .header("X-Private", "1")
        .header("x-private", "2")
        .header("X-Kept", "3")
        .header("X-Gate", "forged")
        .header("X-User", "forged")
        .header("X_User", "forged")
        .header("X-Forwarded-For", "198.51.100.7")
        .header(
            "Connection",
            "TE, close, keep-alive, Via, Expect, Connection",
        )
        .header("TE", "trailers")
        .header("Keep-Alive", "timeout=5")
        .header("Proxy-Connection", "keep-alive")
        .header("Proxy-Authorization", "Basic x")
        .header("Proxy", "http://evil.test")
        .header("Trailer", "x-a")
        .header("Via", "1.1 evil");
    let asked = stage.accepted("nominated", request.text()).await;
    // The client's own is gone.
    let via = asked.one("via");
    assert!(
        via.starts_with("1.1 wsgate-") && !via.contains(','),
        "{via}"
    );
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
            "x-kept",
            "x-user",
        ]
    );
    asked.assert(&[
        ("connection", "Upgrade"),
        ("x-gate", "wsgate"),
        ("x-user", "127.0.0.1"),
        ("x-forwarded-for", "127.0.0.1"),
    ]);
    stage.tells("untrusted_xff");
    stage.stands().await;
}
