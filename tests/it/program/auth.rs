//! `[route.auth]`: who comes in, as whom and for how long.

mod logins;
mod revocation;
mod tickets;

use serde_json::json;

use crate::kit::token::{issuer, now, token};
use crate::kit::{
    Http2, Program, Request, Upstream, Wire, answer, extended_connect, settings, switching,
};

/// Settings with these lines in `[route.auth]`, and `more` behind them. The log shows everything.
pub(super) fn authenticated(upstream: &Upstream, auth: &str, more: &str) -> String {
    let settings = settings(upstream.url(), &format!("[route.auth]\n{auth}\n{more}"));
    let settings = settings.replace("[log]\n", "[log]\nlevel = \"trace\"\n");
    format!("{settings}\n{}", issuer())
}

/// What a client gets for a request.
pub(super) async fn refused(program: &Program, request: &Request) -> (u16, String) {
    let mut client = Wire::connect(&program.address).await;
    client.send(request.text()).await;
    let response = client.response().await;
    let challenge = response.head.all("www-authenticate").join(", ");
    (response.status(), challenge)
}

/// The session of a request that comes in: its two ends, and the heads that each of them got.
pub(super) async fn session(
    program: &Program,
    upstream: &Upstream,
    request: &Request,
) -> ((Wire, crate::kit::Head), (Wire, crate::kit::Head)) {
    let mut client = Wire::connect(&program.address).await;
    client.send(request.text()).await;
    let (mut server, asked) = upstream.request().await;
    server.send(switching(&asked, "")).await;
    let head = client.head().await;
    assert_eq!(head.status(), 101, "{head:?}");
    ((client, head), (server, asked))
}

pub(super) fn bearing(token: &str) -> Request {
    Request::websocket("/ws/a").header("Authorization", &format!("Bearer {token}"))
}

/// Whether a part of a token is in a text.
fn shows(text: &str, token: &str) -> bool {
    token.split('.').any(|part| text.contains(part))
}

#[tokio::test]
async fn each_place_of_a_credential_lets_in_and_is_taken_out() {
    let upstream = Upstream::start().await;
    let from = r#"from = ["header:authorization", "header:x-token", "cookie:session", "query:token", "subprotocol:bearer."]
                  jwt = "main""#;
    let program = Program::run(&authenticated(&upstream, from, "")).await;
    let token = token(&json!({}));
    let websocket = Request::websocket;
    for (request, left, protocol) in [
        (bearing(&token), "", None),
        (
            websocket("/ws/a")
                .header("x_token", "kept out")
                .header("X-Token", &token),
            "",
            None,
        ),
        (
            websocket(
                "/ws/a?a=b&to%6ben=TOKEN&c=d"
                    .replace("TOKEN", &token)
                    .as_str(),
            ),
            "/ws/a?a=b&c=d",
            None,
        ),
        (
            websocket(&format!("/ws/a?token={token}")),
            "/ws/a HTTP",
            None,
        ),
        (
            websocket("/ws/a").header("Cookie", &format!("a=b; session=\"{token}\"; c=d")),
            "a=b; c=d",
            None,
        ),
        (
            websocket("/ws/a").header("Cookie", &format!("session={token}")),
            "",
            None,
        ),
        (
            websocket("/ws/a").header(
                "Sec-WebSocket-Protocol",
                &format!("chat, bearer, bearer.{token}"),
            ),
            "\"sec-websocket-protocol\", \"chat\"",
            Some("bearer".to_owned()),
        ),
        (
            websocket("/ws/a").header("Sec-WebSocket-Protocol", &format!("bearer.{token}")),
            "",
            Some(format!("bearer.{token}")),
        ),
    ] {
        let ((_client, answered), (_server, asked)) = session(&program, &upstream, &request).await;
        let sent = format!("{asked:?}").to_lowercase();
        assert!(!shows(&sent, &token.to_lowercase()), "{sent}");
        for gone in ["session", "bearer", "x_token", "x-token", "authorization"] {
            assert!(!sent.contains(gone), "{gone}: {sent}");
        }
        assert!(sent.contains(&left.to_lowercase()), "{left}: {sent}");
        let chosen = answered.all("sec-websocket-protocol");
        assert_eq!(chosen.first().copied(), protocol.as_deref());
        let echoed = protocol.is_some_and(|protocol| protocol.contains(&token));
        assert_eq!(shows(&format!("{answered:?}"), &token), echoed);
    }
    let log = program.stop().await;
    assert!(!shows(&log, &token), "{log}");
}

#[tokio::test]
async fn a_credential_that_lets_nobody_in_has_its_status_and_its_word() {
    let upstream = Upstream::start().await;
    let auth = r#"from = ["header:authorization", "query:token"]
                  jwt = "main"
                  require = { scope = ["chat", "admin"], room = "{host}" }"#;
    let program = Program::run(&authenticated(&upstream, auth, "")).await;
    let room = |changes: serde_json::Value| {
        let mut claims = changes;
        claims["room"] = json!("gate.test");
        token(&claims)
    };
    let right = room(json!({}));
    let two = |other: &str| {
        let request = Request::websocket(&format!("/ws/a?token={other}"));
        request.header("Authorization", &format!("bearer {right}"))
    };
    let basic = Request::websocket("/ws/a").header("Authorization", "Basic YTpi");
    for (index, (request, status, reason, challenge)) in [
        (
            Request::websocket("/ws/a"),
            401,
            "credential_missing",
            "Bearer",
        ),
        (basic, 401, "credential_missing", "Bearer"),
        (bearing(""), 401, "credential_missing", "Bearer"),
        (two("other"), 400, "credential_ambiguous", "invalid_request"),
        (bearing("canary"), 401, "token_malformed", "invalid_token"),
        (
            bearing(&room(json!({ "exp": now() - 60 }))),
            401,
            "token_expired",
            "invalid_token",
        ),
        (
            bearing(&room(json!({ "scope": "read chatter" }))),
            403,
            "claim_refused",
            "insufficient_scope",
        ),
        (
            bearing(&token(&json!({}))),
            403,
            "claim_refused",
            "insufficient_scope",
        ),
    ]
    .into_iter()
    .enumerate()
    {
        let (got, header) = refused(&program, &request).await;
        assert_eq!(got, status, "{reason}");
        assert!(header.contains(challenge), "{reason}: {header}");
        let last = program.nth_event(index, "handshake rejected").await;
        assert_eq!(last["reason"], reason, "{last}");
        let rule = match reason {
            "claim_refused" => "auth.require",
            _ => "auth",
        };
        assert_eq!(last["rule"], rule);
        assert!(last["line"].is_number());
    }
    assert!(upstream.untouched());
    // The same credential in two places is one.
    session(&program, &upstream, &two(&right)).await;
    let log = program.stop().await;
    assert!(!shows(&log, &right) && !log.contains("canary"), "{log}");
}

#[tokio::test]
async fn an_upstream_gets_who_the_client_is_from_the_gate_alone() {
    let upstream = Upstream::start().await;
    let headers = r#"[route.headers]
        set = { x-user = "{subject}", x-team = "{claim.team}", x-mail = "{claim.mail}" }"#;
    let settings = authenticated(&upstream, "jwt = \"main\"", headers);
    let rewrite = "upstream = \"chat\"\nrewrite = \"/users/{subject}/*\"\n";
    let settings = settings.replace("upstream = \"chat\"\n", rewrite);
    let program = Program::run(&settings).await;
    let request = bearing(&token(&json!({})))
        .header("X-User", "root")
        .header("x_team", "red")
        .header("X-Mail", "root@gate.test");
    let (_, (_, asked)) = session(&program, &upstream, &request).await;
    asked.assert(&[("x-user", "alice"), ("x-team", "blue")]);
    assert_eq!(asked.target(), "/users/alice/a");
    for gone in ["x_team", "x-mail"] {
        assert!(asked.all(gone).is_empty(), "{asked:?}");
    }
}

#[tokio::test]
async fn a_session_ends_with_its_token() {
    let upstream = Upstream::start().await;
    let program = Program::run(&authenticated(
        &upstream,
        "jwt = \"main\"\non_expiry = 4499",
        "",
    ))
    .await;
    let short = token(&json!({ "exp": now() + 2 }));
    let ((mut client, _), (mut server, _)) = session(&program, &upstream, &bearing(&short)).await;
    client.expect_close(4499).await;
    let late = now().saturating_sub(2);
    server.expect_close(1001).await;
    let closed = program.event("session closed").await;
    assert_eq!(closed["reason"], "expired", "{closed}");
    assert!(late <= now());
}

#[tokio::test]
async fn plain_requests_are_let_in_by_the_same_rules() {
    let upstream = Upstream::start().await;
    let auth = "from = [\"header:authorization\", \"query:token\"]\njwt = \"main\"";
    let settings = authenticated(&upstream, auth, "");
    let settings = settings.replace(
        "upstream = \"chat\"\n",
        "upstream = \"chat\"\nhttp = \"forward\"\n",
    );
    let program = Program::run(&settings).await;
    assert_eq!(refused(&program, &Request::plain("/ws/page")).await.0, 401);
    let token = token(&json!({}));
    let mut client = Wire::connect(&program.address).await;
    let request = Request::plain(&format!("/ws/page?token={token}"));
    client.send(request.text()).await;
    let (mut server, asked) = upstream.request().await;
    assert_eq!(asked.target(), "/ws/page");
    server.send(answer("200 OK", "", "page")).await;
    assert_eq!(client.response().await.text(), "page");
}

#[tokio::test]
async fn the_file_of_keys_is_followed() {
    let upstream = Upstream::start().await;
    let hash = |key: &str| {
        let digest = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, key.as_bytes());
        data_encoding::HEXLOWER.encode(digest.as_ref())
    };
    let keys = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(keys.path(), format!("billing = sha256:{}\n", hash("first"))).unwrap();
    let file = keys.path().display();
    let auth = format!("jwt = \"main\"\n[route.auth.keys]\nfile = \"{file}\"");
    let headers = "[route.headers]\nset = { x-user = \"{subject}\" }";
    let program = Program::run(&authenticated(&upstream, &auth, headers)).await;
    let (_, (_, asked)) = session(&program, &upstream, &bearing("first")).await;
    asked.assert(&[("x-user", "billing")]);
    assert_eq!(refused(&program, &bearing("second")).await.0, 401);
    std::fs::write(keys.path(), format!("mail = sha256:{}\n", hash("second"))).unwrap();
    program.event("settings reloaded").await;
    let (_, (_, asked)) = session(&program, &upstream, &bearing("second")).await;
    asked.assert(&[("x-user", "mail")]);
    assert_eq!(refused(&program, &bearing("first")).await.0, 401);
    let last = program.nth_event(1, "handshake rejected").await;
    assert_eq!(last["reason"], "credential_unknown");
    // A token is still one.
    session(&program, &upstream, &bearing(&token(&json!({})))).await;
    // A broken file changes nothing.
    std::fs::write(keys.path(), "second").unwrap();
    program
        .line("a reload that fails", |line| {
            line.contains("has no `=`").then_some(())
        })
        .await;
    session(&program, &upstream, &bearing("second")).await;
}

#[tokio::test]
async fn a_stream_of_http_2_is_let_in_by_the_same_rules() {
    let upstream = Upstream::start().await;
    let auth = "from = [\"cookie:session\", \"subprotocol:bearer.\"]\njwt = \"main\"";
    let settings = authenticated(&upstream, auth, "");
    let both = "\nhttp = [\"h1\", \"h2\"]\n[log]";
    let program = Program::run(&settings.replacen("\n[log]", both, 1)).await;
    let mut client = Http2::connect(&program.address).await;
    let with = |lines: &[(&'static str, String)]| {
        let mut request = extended_connect("/ws/a");
        for (name, value) in lines {
            let value = value.parse().expect("a value");
            request.headers_mut().append(*name, value);
        }
        request
    };
    let protocols = "sec-websocket-protocol";
    assert_eq!(client.refused(with(&[])).await, 401);
    let token = token(&json!({}));
    let forged = [(protocols, format!("bearer, bearer.{token}x"))];
    assert_eq!(client.refused(with(&forged)).await, 401);
    // Cookies come in lines of their own here.
    let cookies =
        ["a=b", &*format!("session={token}"), "c=d"].map(|line| ("cookie", line.to_owned()));
    for (lines, left) in [
        (&cookies[..], "a=b; c=d"),
        (
            &[(protocols, format!("bearer, bearer.{token}, chat"))],
            "chat",
        ),
    ] {
        let (opened, (_server, asked)) = tokio::join!(client.ask(with(lines)), async {
            let (mut server, asked) = upstream.request().await;
            server.send(switching(&asked, "")).await;
            (server, asked)
        });
        assert_eq!(opened.0.status(), 200);
        let sent = format!("{asked:?}");
        assert!(sent.contains(left) && !shows(&sent, &token), "{sent}");
        let chosen = opened.0.headers().get(protocols);
        assert_eq!(chosen.is_some_and(|name| name == "bearer"), left == "chat");
    }
    let log = program.stop().await;
    assert!(!shows(&log, &token), "{log}");
}
