//! Cases I02 and I03: headers in which a proxy or CDN says who its client is or what that has asked for,
//! sent by a stranger or of a wrong form.

use crate::kit::{CANARY, Head, Request, Stage, Upstream, answer, docs};

/// What a stranger says of itself.
const FORGED: &str = "198.51.100.66";

/// The headers that docs/security.md says are removed, by what they say.
fn listed() -> Vec<String> {
    let pages = docs::pages();
    let keys = [
        "the client's address",
        "the scheme",
        "the host, path or method",
    ];
    let rows: Vec<_> = docs::rows(&pages, |key| keys.contains(&key)).collect();
    assert_eq!(rows.len(), keys.len());
    let names = rows.iter().flat_map(|cells| cells[1].split(", "));
    let names = names.map(|name| name.trim_matches('`').to_lowercase());
    let names: Vec<_> = names.collect();
    assert!(names.len() > 30, "{names:?}");
    names
}

/// A request with each of these headers, in each spelling that a backend could take for it.
fn forging(request: Request, names: &[String]) -> Request {
    names.iter().fold(request, |request, name| {
        request
            .header(name, FORGED)
            .header(&name.to_uppercase(), FORGED)
            .header(&name.replace('-', "_"), FORGED)
            .header(&name.replacen('-', ".", 1), FORGED)
    })
}

/// What the upstream is told of a plain request.
async fn forwarded(stage: &Stage, request: Request) -> Head {
    let mut client = stage.client().await;
    client.send(request.text()).await;
    let (mut server, asked) = stage.upstream.request().await;
    let closing = "Connection: close\r\n";
    server.send(answer("200 OK", closing, CANARY)).await;
    assert_eq!(client.response().await.status(), 200);
    server.end().await;
    asked
}

#[tokio::test]
async fn i02_a_stranger_speaks_as_a_proxy() {
    for mode in ["x-forwarded", "off"] {
        let route = format!("http = \"forward\"\nheaders = {{ forwarded = \"{mode}\" }}");
        let mut stage = Stage::set(&route).await;
        // A head has a hundred lines at most.
        for names in listed().chunks(20) {
            let request = forging(Stage::handshake(), names);
            let asked = stage.accepted("forged", request.text()).await;
            assert!(!format!("{asked:?}").contains(FORGED), "{asked:#?}");
            let request = forging(Request::plain("/ws/room"), names);
            let asked = forwarded(&stage, request).await;
            assert!(!format!("{asked:?}").contains(FORGED), "{asked:#?}");
        }
        stage.stands().await;
    }
}

#[tokio::test]
async fn i02_a_trusted_proxy_is_believed_by_whoever_believes_it() {
    let more = "[client_ip]\ntrusted_proxies = [\"127.0.0.0/8\"]\n";
    let upstream = Upstream::start().await;
    let pool = format!("servers = [\"{}\"]", upstream.url());
    let route = "headers = { remove_untrusted = [\"x-user\"] }";
    let mut stage = Stage::set_with(upstream, &pool, route, more).await;
    let names = listed();
    let request = names.iter().fold(Stage::handshake(), |request, name| {
        request.header(name, FORGED)
    });
    let request = request.header("X-User", FORGED);
    let asked = stage.accepted("a proxy's", request.text()).await;
    for name in names.iter().map(String::as_str).chain(["x-user"]) {
        asked.assert(&[(name, FORGED)]);
    }
    stage.stands().await;
}

#[tokio::test]
async fn i02_the_list_is_the_operators_to_add_to_and_what_a_route_sets_stays() {
    let route = "http = \"forward\"\n\
                 headers = { remove_untrusted = [\"X-Remote-User\", \"x-ssl-client-verify\"], \
                 set = { x-original-url = \"/{route}\", x-client-ip = \"{client_ip}\" } }";
    let mut stage = Stage::set(route).await;
    let spoil = |request: Request| {
        [
            "X-Remote-User",
            "x_remote_user",
            "X-SSL-Client_Verify",
            "X-Original-URL",
            "X_Client.IP",
        ]
        .iter()
        .fold(request, |request, name| request.header(name, FORGED))
        .header("X-Request-Id", "7")
    };
    let own = [
        ("x-original-url", "/attacked"),
        ("x-client-ip", "127.0.0.1"),
        ("x-request-id", "7"),
    ];
    let asked = stage
        .accepted("set", spoil(Stage::handshake()).text())
        .await;
    asked.assert(&own);
    assert!(!format!("{asked:?}").contains(FORGED), "{asked:#?}");
    let asked = forwarded(&stage, spoil(Request::plain("/ws/room"))).await;
    asked.assert(&own);
    assert!(!format!("{asked:?}").contains(FORGED), "{asked:#?}");
    stage.stands().await;
}

/// A stage that believes the forwarded host of peers in `trusted`, for pages of their own.
async fn believing(trusted: &str, header: &str) -> Stage {
    let more = format!(
        "[client_ip]\ntrusted_proxies = [\"{trusted}\"]\nheader = \"{header}\"\n\
         forwarded_host = true\n"
    );
    let upstream = Upstream::start().await;
    let pool = format!("servers = [\"{}\"]", upstream.url());
    let route = "host = [\"app.test\", \"gate.test\"]\norigin = { allow = [\"same-origin\"] }";
    Stage::set_with(upstream, &pool, route, &more).await
}

fn page() -> Request {
    Stage::handshake().header("Origin", "https://app.test:8443")
}

#[tokio::test]
async fn i03_a_trusted_proxy_says_which_host_its_client_has_asked_for() {
    for (header, name, host) in [
        ("x-forwarded-for", "X-Forwarded-Host", "App.test:8443"),
        (
            "forwarded",
            "Forwarded",
            "host=evil.test, for=192.0.2.1;host=\"app.test:8443\"",
        ),
    ] {
        let mut stage = believing("127.0.0.0/8", header).await;
        let asked = stage
            .accepted(header, page().header(name, host).text())
            .await;
        asked.assert(&[("host", "app.test:8443")]);
        // Without a word of the proxy's the host is that of the request.
        stage
            .refused(header, page().text(), 403, "origin_denied")
            .await;
        let elsewhere = page().header(name, &host.replace("pp.test", "pp.example"));
        stage
            .refused(header, elsewhere.text(), 404, "no_route")
            .await;
        stage.stands().await;
    }
}

#[tokio::test]
async fn i03_a_stranger_says_which_host_it_has_asked_for() {
    let mut stage = believing("192.0.2.0/24", "x-forwarded-for").await;
    let request = page().header("X-Forwarded-Host", "app.test:8443");
    stage
        .refused("a stranger", request.text(), 403, "origin_denied")
        .await;
    stage.stands().await;
}

#[tokio::test]
async fn i03_a_forwarded_host_that_could_be_two_is_refused() {
    let mut stage = believing("127.0.0.0/8", "x-forwarded-for").await;
    for host in [
        "app.test:8443, evil.test",
        "",
        "app.test/",
        "app.test:x",
        "a b",
    ] {
        let request = page().header("X-Forwarded-Host", host);
        stage.refused(host, request.text(), 400, "bad_header").await;
    }
    let twice = page()
        .header("X-Forwarded-Host", "app.test:8443")
        .header("X-Forwarded-Host", "app.test:8443");
    stage
        .refused("twice", twice.text(), 400, "bad_header")
        .await;
    stage.stands().await;
}
