//! Plain HTTP beside the WebSockets: whose rules apply, and in which version it is answered.

use super::forward::{HOST, forwarding};
use crate::kit::{Program, Upstream, Wire, settings, websocket};

#[tokio::test]
async fn plain_requests_of_other_origins_are_for_cors_unless_the_route_checks_them() {
    let upstream = Upstream::start().await;
    let lines = [
        // A preflight, the form of an identity provider, and one of a page without a referrer.
        "OPTIONS /ws/x HTTP/1.1\r\nOrigin: http://other.test\r\n\
         Access-Control-Request-Method: PUT\r\n",
        "POST /ws/x HTTP/1.1\r\nOrigin: http://identity.test\r\nContent-Length: 0\r\n",
        "POST /ws/x HTTP/1.1\r\nOrigin: null\r\nSec-Fetch-Site: same-origin\r\n\
         Content-Length: 0\r\n",
    ];
    let program = forwarding(&upstream).await;
    let checking = "http.origin = \"check\"";
    let strict = Program::run(&settings(upstream.url(), checking)).await;
    for head in lines {
        let mut client = Wire::connect(&program.address).await;
        client.send(format!("{head}{HOST}\r\n")).await;
        let (mut server, asked) = upstream.request().await;
        assert!(head.contains(asked.one("origin")), "{asked:?}");
        server
            .send("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
            .await;
        assert_eq!(client.response().await.text(), "ok", "{head}");
        let mut client = Wire::connect(&strict.address).await;
        client.send(format!("{head}{HOST}\r\n")).await;
        assert_eq!(client.response().await.status(), 403, "{head}");
    }
    // WebSockets have no CORS.
    let mut client = Wire::connect(&program.address).await;
    let origin = "Origin: http://other.test\r\n";
    client.send(websocket("/ws/x", "gate.test", origin)).await;
    assert_eq!(client.response().await.status(), 403);
}

#[tokio::test]
async fn a_server_of_an_older_version_is_answered_for_in_ours() {
    let upstream = Upstream::start().await;
    let program = forwarding(&upstream).await;
    let mut client = Wire::connect(&program.address).await;
    for page in ["one", "two"] {
        client
            .send(format!("GET /ws/{page} HTTP/1.1\r\n{HOST}\r\n"))
            .await;
        let (mut server, _) = upstream.request().await;
        server.send(format!("HTTP/1.0 200 OK\r\n\r\n{page}")).await;
        server.shut().await;
        // The connection to the client stays open.
        let response = client.response().await;
        assert!(response.head.line.starts_with("HTTP/1.1 "), "{response:?}");
        assert_eq!(response.text(), page);
    }
}
