//! Case H12: one path in many spellings, and a route that denies it.

use rstest::rstest;

use crate::kit::{CANARY, Frame, Host, Request, Stage, Upstream, answer, switching};

/// Routes in front of the attacked one, by what they are for.
async fn behind(host: Host, routes: &str, attacked: &str) -> Stage {
    let upstream = Upstream::start().await;
    let pool = format!("servers = [\"{}\"]\n{routes}", upstream.url());
    Stage::on_with(host, upstream, &pool, attacked, "").await
}

/// A route that lets nobody in.
fn denied(path: &str) -> String {
    format!(
        "[[route]]\nname = \"admin\"\npath = \"{path}\"\nupstream = \"attacked\"\n\
         http = \"forward\"\naddress = {{ deny = [\"0.0.0.0/0\"] }}\n"
    )
}

fn handshake(path: &str) -> Request {
    Stage::handshake().line(&format!("GET {path}?token={CANARY} HTTP/1.1"))
}

fn plain(path: &str) -> Request {
    Request::plain(&format!("{path}?token={CANARY}"))
}

/// Forwards a plain request and its answer, and returns the target that the upstream saw.
async fn forwarded(stage: &Stage, path: &str) -> String {
    let mut client = stage.client().await;
    client.send(plain(path).text()).await;
    let (mut server, asked) = tokio::select! {
        asked = stage.upstream.request() => asked,
        answer = client.head() => panic!("{path}: {answer:#?}"),
    };
    server
        .send(answer("200 OK", "Connection: close\r\n", CANARY))
        .await;
    assert_eq!(client.response().await.status(), 200, "{path}");
    server.end().await;
    let target = asked.target().strip_suffix(&format!("?token={CANARY}"));
    target.expect("the query as it was").to_owned()
}

/// Spellings of `/ws/admin/caf%C3%A9`.
const SPELLINGS: [&str; 7] = [
    "/ws/admin/caf%C3%A9",
    "/ws/admin/caf%c3%a9",
    "/ws/%61dmin/caf%C3%a9",
    "/ws/%61%64%6d%69%6e/caf%C3%A9",
    "/ws/%61%64%6D%69%6E/%63af%C3%A9",
    "/%77s/admin/caf%C3%A9",
    "/%77%73/ad%6Din/c%61f%c3%A9",
];

#[rstest]
#[tokio::test]
async fn h12_a_denied_path_is_denied_in_every_spelling(
    #[values(Host::Program, Host::HyperService, Host::Axum)] host: Host,
) {
    let mut stage = behind(host, &denied("/ws/admin/*"), "").await;
    for path in SPELLINGS.into_iter().rev() {
        let request = handshake(path).text();
        stage.refused(path, request, 403, "address_denied").await;
    }
    // That of the first.
    let line = stage.line("address_denied").await;
    assert_eq!(line["path"], SPELLINGS[0], "{line}");
    stage.stands().await;
}

#[tokio::test]
async fn h12_a_denied_path_is_denied_to_plain_requests_in_every_spelling() {
    let routes = denied("/ws/admin/*");
    let mut stage = behind(Host::Program, &routes, "http = \"forward\"").await;
    for path in SPELLINGS.into_iter().rev() {
        let request = plain(path).header("Connection", "close").text();
        stage.refused(path, request, 403, "address_denied").await;
    }
    // That of the first.
    let line = stage.line("address_denied").await;
    assert_eq!(line["path"], SPELLINGS[0], "{line}");
    stage.stands().await;
}

#[rstest]
#[case::letter("/ws/%61dmin/*")]
#[case::digits("/%77s/adm%69n/caf%c3%A9")]
#[tokio::test]
async fn h12_a_route_is_written_in_any_spelling(#[case] path: &str) {
    let mut stage = behind(Host::Program, &denied(path), "").await;
    for path in SPELLINGS {
        let request = handshake(path).text();
        stage.refused(path, request, 403, "address_denied").await;
    }
    stage.stands().await;
}

/// Paths that are other ones than `/ws/admin/x` (RFC 3986 §6.2.2), though some upstream may take one
/// for it, and what is sent on.
const OTHERS: [(&str, &str); 17] = [
    ("/ws//admin/x", "/ws//admin/x"),
    ("/ws/admin;a/x", "/ws/admin;a/x"),
    ("/ws/admin%3b/x", "/ws/admin%3B/x"),
    ("/ws/;/admin/x", "/ws/;/admin/x"),
    ("/ws/Admin/x", "/ws/Admin/x"),
    ("/ws/%41dmin/x", "/ws/Admin/x"),
    ("/ws/admin%20/x", "/ws/admin%20/x"),
    ("/ws/admin./x", "/ws/admin./x"),
    ("/ws/admin%2e/x", "/ws/admin./x"),
    ("/ws/admin.../x", "/ws/admin.../x"),
    ("/ws/admin%2e%2e%2e/x", "/ws/admin.../x"),
    ("/ws/admin", "/ws/admin"),
    ("/ws/%2561dmin/x", "/ws/%2561dmin/x"),
    ("/ws/%25%36%31dmin/x", "/ws/%2561dmin/x"),
    ("/ws/%EF%BD%81dmin/x", "/ws/%EF%BD%81dmin/x"),
    ("/ws/admin|[1]^/x", "/ws/admin%7C%5B1%5D%5E/x"),
    ("/ws/admin!$&'()*+,=:@/x", "/ws/admin!$&'()*+,=:@/x"),
];

#[rstest]
#[tokio::test]
async fn h12_another_path_is_another_and_what_was_matched_is_sent(
    #[values(Host::Program, Host::HyperService, Host::Axum)] host: Host,
) {
    let mut stage = behind(host, &denied("/ws/admin/*"), "").await;
    for (path, sent) in OTHERS {
        let asked = stage.accepted(path, handshake(path).text()).await;
        assert_eq!(asked.target(), format!("{sent}?token={CANARY}"));
    }
    stage.stands().await;
}

#[tokio::test]
async fn h12_another_path_is_another_of_a_plain_request_too() {
    let routes = denied("/ws/admin/*");
    let stage = behind(Host::Program, &routes, "http = \"forward\"").await;
    for (path, sent) in OTHERS {
        assert_eq!(forwarded(&stage, path).await, sent);
    }
    stage.stands().await;
}

#[rstest]
#[tokio::test]
async fn h12_what_decodes_to_a_dot_segment_or_a_separator_is_refused(
    #[values(Host::Program, Host::HyperService)] host: Host,
) {
    let mut stage = behind(host, &denied("/ws/admin/*"), "").await;
    for path in [
        "/ws/x/%2e%2e/admin/x",
        "/ws/x/%2E./%61dmin/x",
        "/ws/%2e/admin/x",
        "/ws/x/.%2e;a/admin/x",
        "/ws/x/%2e%2e%3B/admin/x",
        "/ws%2f../admin/x",
        "/ws/x%2F%2e%2e%2fadmin/x",
        "/ws%5cadmin/x",
        "/ws/%c1%a1dmin/x",
        "/ws/%e0%81%a1dmin/x",
        "/ws/adm%69%6/x",
        "/ws/%6gdmin/x",
        "/ws/%%361dmin/x",
    ] {
        let request = handshake(path).text();
        stage.refused(path, request, 400, "bad_path").await;
    }
    stage.stands().await;
}

const ROOMS: &str = "[[route]]\nname = \"rooms\"\npath = \"/rooms/{room}/*\"\nupstream = \"attacked\"\n\
                     rewrite = \"/%72/{room}/caf%c3%a9/*\"\nhttp = \"forward\"\n\
                     headers = { set = { x-room = \"{path.room}\" } }\n";

#[tokio::test]
async fn h12_rewrites_and_parameters_are_of_the_normal_form() {
    let mut stage = behind(Host::Program, ROOMS, "").await;
    let sent = "/r/a%C3%A9%3B~/caf%C3%A9/x";
    for path in [
        "/rooms/a%C3%A9%3B~/x",
        "/r%6foms/%61%c3%a9%3b%7e/%78",
        "/%72%6F%6f%6D%73/a%c3%A9%3B%7E/x",
    ] {
        assert_eq!(forwarded(&stage, path).await, sent);
        let mut client = stage.client().await;
        client.send(handshake(path).text()).await;
        let (mut server, asked) = stage.upstream.request().await;
        assert_eq!(asked.target(), format!("{sent}?token={CANARY}"));
        asked.assert(&[("x-room", "a%C3%A9%3B~")]);
        server.send(switching(&asked, "")).await;
        assert_eq!(client.head().await.status(), 101);
        stage.was_accepted();
        client.send_frame(&Frame::close(1000, "")).await;
        server.expect_close(1000).await;
        server.send_frame(&Frame::close(1000, "")).await;
        client.end().await;
        stage.ends("closed");
    }
    stage.stands().await;
}
