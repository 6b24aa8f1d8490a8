//! Case H20: a slash that is written as `%2F`.

use rstest::rstest;

use crate::kit::{CANARY, Host, Request, Stage, Upstream, answer, switching};

const PASS: &str = "http = \"forward\"\nencoded_slashes = \"pass\"";

fn handshake(path: &str) -> Request {
    Stage::handshake().line(&format!("GET {path}?token={CANARY} HTTP/1.1"))
}

fn plain(path: &str) -> Request {
    Request::plain(&format!("{path}?token={CANARY}")).header("Connection", "close")
}

/// A gate with these routes in front of the attacked one, which passes encoded slashes.
async fn behind(host: Host, routes: &str) -> Stage {
    let upstream = Upstream::start().await;
    let pool = format!("servers = [\"{}\"]\n{routes}", upstream.url());
    Stage::on_with(host, upstream, &pool, PASS, "").await
}

/// Forwards a plain request and its answer, and returns the target that the upstream saw.
async fn forwarded(stage: &Stage, path: &str) -> String {
    let mut client = stage.client().await;
    client.send(plain(path).text()).await;
    let (mut server, asked) = tokio::select! {
        asked = stage.upstream.request() => asked,
        answer = client.head() => panic!("{path}: {answer:#?}"),
    };
    let close = "Connection: close\r\n";
    server.send(answer("200 OK", close, CANARY)).await;
    assert_eq!(client.response().await.status(), 200, "{path}");
    server.end().await;
    asked.target().to_owned()
}

#[rstest]
#[tokio::test]
async fn h20_an_encoded_slash_is_refused_unless_the_route_passes_it(
    #[values(Host::Program, Host::HyperService, Host::Axum)] host: Host,
) {
    let mut stage = Stage::on(host, "").await;
    for path in [
        "/ws/a%2fb",
        "/ws/a%2Fb",
        "/ws/%2f",
        "/ws/a%2F%2fb",
        "/ws%2fa",
        "/ws%2Fadmin/x",
        "/other%2Fa",
    ] {
        let request = handshake(path).text();
        stage.refused(path, request, 400, "encoded_slash").await;
    }
    let line = stage.line("encoded_slash").await;
    assert_eq!(line["path"], "/ws/a%2Fb", "{line}");
    assert_eq!(line["route"], "attacked", "{line}");
    assert_eq!(line["rule"], "encoded_slashes", "{line}");
    stage.stands().await;
}

#[tokio::test]
async fn h20_an_encoded_slash_of_a_plain_request_is_refused_unless_the_route_passes_it() {
    let mut stage = Stage::on(Host::Program, "http = \"forward\"").await;
    for path in ["/ws/a%2fb", "/ws/a%2Fb", "/ws%2fa", "/other%2Fa"] {
        let request = plain(path).text();
        stage.refused(path, request, 400, "encoded_slash").await;
    }
    stage.stands().await;
}

/// Paths of a route that passes encoded slashes, and what is sent on.
const PASSED: [(&str, &str); 8] = [
    ("/ws/a%2fb", "/ws/a%2Fb"),
    ("/ws/a%2Fb", "/ws/a%2Fb"),
    ("/ws/%2f", "/ws/%2F"),
    ("/ws/%2F%2f/", "/ws/%2F%2F/"),
    ("/ws/a%252fb%2f.x", "/ws/a%252fb%2F.x"),
    ("/ws/...%2f...", "/ws/...%2F..."),
    ("/ws/@scope%2fname", "/ws/@scope%2Fname"),
    (
        "/ws/https%3a%2f%2fdocs.test%2fwopi%2ffiles%2f1%3fx=y/ws",
        "/ws/https%3A%2F%2Fdocs.test%2Fwopi%2Ffiles%2F1%3Fx=y/ws",
    ),
];

#[rstest]
#[tokio::test]
async fn h20_a_passed_slash_is_matched_and_forwarded_as_one_string(
    #[values(Host::Program, Host::HyperService, Host::Axum)] host: Host,
) {
    let mut stage = behind(host, "").await;
    for (path, sent) in PASSED {
        let asked = stage.accepted(path, handshake(path).text()).await;
        assert_eq!(asked.target(), format!("{sent}?token={CANARY}"));
    }
    stage.stands().await;
}

#[tokio::test]
async fn h20_a_passed_slash_of_a_plain_request_is_forwarded_as_one_string() {
    let stage = behind(Host::Program, "").await;
    for (path, sent) in PASSED {
        let target = forwarded(&stage, path).await;
        assert_eq!(target, format!("{sent}?token={CANARY}"));
    }
    stage.stands().await;
}

#[rstest]
#[tokio::test]
async fn h20_no_dot_segment_hides_behind_a_passed_slash(
    #[values(Host::Program, Host::HyperService)] host: Host,
) {
    let mut stage = behind(host, "").await;
    for path in [
        "/ws/..%2fadmin",
        "/ws/%2e%2e%2Fadmin",
        "/ws%2f..%2fadmin",
        "/ws/a%2F..%2Fb",
        "/ws/a%2f..",
        "/ws/%2F%2E",
        "/ws/%2f.%2fa",
        "/ws/a%2f%2e./b",
        "/ws/a%2F..;x/b",
        "/ws/a%2F..%3bx%2fb",
        "/ws/.;%2fb",
        "/ws/a%2F..%5cb",
        "/ws/a%2Fb%5c..%5cc",
        "/ws/a%2Fb%5Cc",
        "/ws/a%2F%c0%ae%c0%ae/b",
        "/ws/a%c0%afb",
        "/ws/a%2F%00",
        "/ws/a%2",
        "/ws/a%2/b",
        "/ws/a%2g",
    ] {
        let request = handshake(path).text();
        stage.refused(path, request, 400, "bad_path").await;
        if host == Host::Program {
            let request = plain(path).text();
            stage.refused(path, request, 400, "bad_path").await;
        }
    }
    stage.stands().await;
}

/// A route that lets nobody in.
fn denied(more: &str) -> String {
    format!(
        "[[route]]\nname = \"admin\"\npath = \"/ws/admin/*\"\nupstream = \"attacked\"\n\
         http = \"forward\"\naddress = {{ deny = [\"0.0.0.0/0\"] }}\n{more}\n"
    )
}

#[rstest]
#[tokio::test]
async fn h20_a_denied_path_is_not_reached_through_a_route_that_passes_slashes(
    #[values(Host::Program, Host::HyperService)] host: Host,
) {
    let mut stage = behind(host, &denied("")).await;
    for path in [
        "/ws/admin%2fx",
        "/ws%2fadmin/x",
        "/ws%2Fadmin%2Fx",
        "/ws/%61dmin%2f",
        "/ws/admin%2F%2Fx",
        "/ws/admin/a%2Fb",
    ] {
        let request = handshake(path).text();
        stage.refused(path, request, 400, "encoded_slash").await;
    }
    let line = stage.line("encoded_slash").await;
    assert_eq!(line["route"], "admin", "{line}");
    assert_eq!(line["path"], "/ws/admin%2Fx", "{line}");
    for path in ["/ws/a%2Fadmin%2Fx", "/ws/%2Fadmin%2Fx"] {
        let asked = stage.accepted(path, handshake(path).text()).await;
        assert_eq!(asked.target(), format!("{path}?token={CANARY}"));
    }
    stage.stands().await;
}

// Its upstream tells the two apart, says who writes `pass` there.
#[tokio::test]
async fn h20_a_denied_route_that_passes_slashes_has_only_its_own_paths() {
    let mut stage = behind(Host::Program, &denied("encoded_slashes = \"pass\"")).await;
    let request = handshake("/ws/admin/a%2fb").text();
    stage.refused("below", request, 403, "address_denied").await;
    let asked = stage.accepted("one", handshake("/ws/admin%2fx").text());
    assert_eq!(
        asked.await.target(),
        format!("/ws/admin%2Fx?token={CANARY}")
    );
    stage.stands().await;
}

const ROOMS: &str = "[[route]]\nname = \"rooms\"\npath = \"/rooms%2fof/{room}/*\"\n\
                     upstream = \"attacked\"\nencoded_slashes = \"pass\"\n\
                     rewrite = \"/vhost/%2f/{room}/*\"\nhttp = \"forward\"\n\
                     headers = { set = { x-room = \"{path.room}\" } }\n";

#[tokio::test]
async fn h20_rewrites_and_parameters_have_encoded_slashes() {
    let stage = behind(Host::Program, ROOMS).await;
    let query = format!("?token={CANARY}");
    let path = "/rooms%2Fof/a%2fb/c%2fd//e";
    let sent = "/vhost/%2F/a%2Fb/c%2Fd//e".to_owned() + &query;
    assert_eq!(forwarded(&stage, path).await, sent);
    let mut client = stage.client().await;
    client.send(handshake(path).text()).await;
    let (mut server, asked) = stage.upstream.request().await;
    assert_eq!(asked.target(), sent);
    asked.assert(&[("x-room", "a%2Fb")]);
    server.send(switching(&asked, "")).await;
    assert_eq!(client.head().await.status(), 101);
}

/// The operator's own `%2F`, as for the virtual host `/` of a message broker.
const BROKER: &str = "http = \"forward\"\nrewrite = \"/vhost/%2f/*\"";

#[tokio::test]
async fn h20_a_rewrite_with_an_encoded_slash_lets_no_request_have_one() {
    let mut stage = Stage::on(Host::Program, BROKER).await;
    let sent = format!("/vhost/%2F/a?token={CANARY}");
    assert_eq!(forwarded(&stage, "/ws/a").await, sent);
    let asked = stage.accepted("/ws/a", handshake("/ws/a").text()).await;
    assert_eq!(asked.target(), sent);
    for path in ["/ws/a%2fb", "/ws%2Fa"] {
        for request in [handshake(path), plain(path)] {
            let request = request.text();
            stage.refused(path, request, 400, "encoded_slash").await;
        }
    }
    stage.stands().await;
}
