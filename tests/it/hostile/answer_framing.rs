//! Cases H33 and U13: upstreams whose answers have bodies that two readers could read in two ways, or
//! that break off.

use rstest::rstest;

use crate::kit::{Answer, CANARY, Head, Host, Request, Stage, Wire};

/// Lines that frame a body, and the body behind them.
const BAD: &[(&str, &str, &str)] = &[
    (
        "a list of equal lengths",
        "Content-Length: 6, 6\r\n",
        "c4nary",
    ),
    (
        "a list without a second length",
        "Content-Length: 6,\r\n",
        "c4nary",
    ),
    (
        "two lengths",
        "Content-Length: 6\r\nContent-Length: 5\r\n",
        "c4nary",
    ),
    (
        "one length in two spellings",
        "Content-Length: 6\r\nContent-Length: 06\r\n",
        "c4nary",
    ),
    ("a length with a sign", "Content-Length: +6\r\n", "c4nary"),
    ("no length in its line", "Content-Length: \r\n", "c4nary"),
    ("gzip", "Transfer-Encoding: gzip\r\n", "c4nary"),
    (
        "gzip, then chunks",
        "Transfer-Encoding: gzip, chunked\r\n",
        "6\r\nc4nary\r\n0\r\n\r\n",
    ),
    (
        "gzip, then chunks, in two lines",
        "Transfer-Encoding: gzip\r\nTransfer-Encoding: chunked\r\n",
        "6\r\nc4nary\r\n0\r\n\r\n",
    ),
    (
        "chunks, then gzip",
        "Transfer-Encoding: chunked, gzip\r\n",
        "6\r\nc4nary\r\n0\r\n\r\n",
    ),
    (
        "chunks in chunks",
        "Transfer-Encoding: chunked, chunked\r\n",
        "b\r\n6\r\nc4nary\r\n\r\n0\r\n\r\n",
    ),
    (
        "chunks, said twice",
        "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n",
        "6\r\nc4nary\r\n0\r\n\r\n",
    ),
    (
        "chunks with a parameter",
        "Transfer-Encoding: chunked;q=1\r\n",
        "6\r\nc4nary\r\n0\r\n\r\n",
    ),
    ("identity", "Transfer-Encoding: identity\r\n", "c4nary"),
    ("no coding in its line", "Transfer-Encoding: \r\n", "c4nary"),
    (
        "chunks and a length",
        "Transfer-Encoding: chunked\r\nContent-Length: 16\r\n",
        "6\r\nc4nary\r\n0\r\n\r\n",
    ),
    (
        "a length and chunks",
        "Content-Length: 6\r\nTransfer-Encoding: chunked\r\n",
        "6\r\nc4nary\r\n0\r\n\r\n",
    ),
];

/// A gate that forwards plain requests.
async fn forwarding() -> Stage {
    Stage::set("http = \"forward\"").await
}

/// The head of the response, behind the interim answers that were passed on.
async fn last_head(client: &mut Wire) -> Head {
    loop {
        let head = client.head().await;
        if head.status() >= 200 {
            return head;
        }
    }
}

/// Plays a request whose answer has to be refused, with nothing of its body.
async fn refused(stage: &mut Stage, what: &str, request: &Request, answer: &str, reason: &str) {
    let mut client = stage.client().await;
    client.send(request.text()).await;
    let (mut server, asked) = stage.upstream.request().await;
    server.try_send(answer).await;
    let head = last_head(&mut client).await;
    assert_eq!(head.status(), 502, "{what}: {head:#?}");
    head.assert(&[("connection", "close"), ("transfer-encoding", "")]);
    let rest = String::from_utf8(client.end().await).unwrap();
    assert!(!rest.contains(CANARY), "{what}: {rest}");
    assert_eq!(
        rest.is_empty(),
        asked.line.starts_with("HEAD "),
        "{what}: {rest}"
    );
    server.end().await;
    stage.refuses(reason);
}

#[rstest]
#[tokio::test]
async fn h33_a_refusal_whose_body_has_no_certain_end(
    #[values(Host::Program, Host::HyperService)] host: Host,
) {
    let mut stage = Stage::on(host, "").await;
    for (what, framing, body) in BAD {
        let answer = Answer::new(format!("HTTP/1.1 403 Forbidden\r\n{framing}\r\n{body}"));
        let answered = stage.answered(what, answer, 502, "upstream_bad_response");
        let (head, body) = answered.await;
        assert!(!body.contains(CANARY), "{what}: {body}");
        head.assert(&[("connection", "close"), ("transfer-encoding", "")]);
    }
    let old =
        "HTTP/1.0 403 Forbidden\r\nTransfer-Encoding: chunked\r\n\r\n6\r\nc4nary\r\n0\r\n\r\n";
    let answered = stage.answered("HTTP/1.0", Answer::new(old), 502, "upstream_bad_response");
    assert!(!answered.await.1.contains(CANARY));
    stage.stands().await;
}

#[tokio::test]
async fn h33_a_plain_answer_whose_body_has_no_certain_end() {
    let mut stage = forwarding().await;
    let reason = "upstream_bad_response";
    for (what, framing, body) in BAD {
        for status in ["200 OK", "404 Not Found"] {
            let answer = format!("HTTP/1.1 {status}\r\n{framing}\r\n{body}");
            let request = Request::plain("/ws/page");
            refused(
                &mut stage,
                &format!("{what}, {status}"),
                &request,
                &answer,
                reason,
            )
            .await;
        }
        // There is no body, but the head would be believed for a GET.
        for (line, status) in [
            ("HEAD /ws/page HTTP/1.1", "200 OK"),
            ("GET /ws/page HTTP/1.1", "304 Not Modified"),
        ] {
            let answer = format!("HTTP/1.1 {status}\r\n{framing}\r\n");
            let request = Request::plain("/ws/page").line(line);
            refused(
                &mut stage,
                &format!("{what}, {line}"),
                &request,
                &answer,
                reason,
            )
            .await;
        }
    }
    let chunked = "Transfer-Encoding: chunked\r\n\r\n6\r\nc4nary\r\n0\r\n\r\n";
    for (what, answer) in [
        ("HTTP/1.0", format!("HTTP/1.0 200 OK\r\n{chunked}")),
        (
            "chunks of a 204",
            format!("HTTP/1.1 204 No Content\r\n{chunked}"),
        ),
        (
            "a length of a 204",
            "HTTP/1.1 204 No Content\r\nContent-Length: 6\r\n\r\nc4nary".to_owned(),
        ),
        (
            "a length of a 205",
            "HTTP/1.1 205 Reset Content\r\nContent-Length: 6\r\n\r\nc4nary".to_owned(),
        ),
    ] {
        refused(
            &mut stage,
            what,
            &Request::plain("/ws/page"),
            &answer,
            reason,
        )
        .await;
    }
    stage.stands().await;
}

#[tokio::test]
async fn h33_a_plain_answer_whose_body_is_broken_from_the_start() {
    let mut stage = forwarding().await;
    let chunked = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";
    let long = "6".repeat(40);
    let extension = format!("6;{}\r\nc4nary\r\n0\r\n\r\n", "x".repeat(20_000));
    for (what, body) in [
        ("a size that is none", "zz\r\nc4nary\r\n0\r\n\r\n"),
        ("no size", "\r\nc4nary\r\n0\r\n\r\n"),
        ("a size with a sign", "+6\r\nc4nary\r\n0\r\n\r\n"),
        ("a size below nothing", "-6\r\nc4nary\r\n0\r\n\r\n"),
        ("a size in the other notation", "0x6\r\nc4nary\r\n0\r\n\r\n"),
        ("a size that no number holds", &*long),
        ("a bare CR behind a size", "6\rc4nary\r\n0\r\n\r\n"),
        ("an extension without an end", &*extension),
        ("the body without its chunks", "c4nary"),
    ] {
        let request = Request::plain("/ws/page");
        let answer = format!("{chunked}{body}");
        refused(&mut stage, what, &request, &answer, "upstream_bad_response").await;
    }
    stage.stands().await;
}

#[tokio::test]
async fn h33_a_plain_answer_is_no_http() {
    let mut stage = forwarding().await;
    let ok = "HTTP/1.1 200 OK\r\nContent-Length: 6\r\n";
    for (what, answer) in [
        ("a folded line", format!("{ok}X: a\r\n b\r\n\r\nc4nary")),
        ("NUL in a value", format!("{ok}X: a\0b\r\n\r\nc4nary")),
        ("CR in a value", format!("{ok}X: a\rb\r\n\r\nc4nary")),
        ("a space before a colon", format!("{ok}X : a\r\n\r\nc4nary")),
        (
            "NUL in the reason",
            "HTTP/1.1 200 O\0K\r\nContent-Length: 6\r\n\r\nc4nary".to_owned(),
        ),
        (
            "CR in the reason",
            "HTTP/1.1 200 O\rX: y\r\nContent-Length: 6\r\n\r\nc4nary".to_owned(),
        ),
        (
            "an interim answer with a body",
            format!("HTTP/1.1 103 Early Hints\r\nContent-Length: 6\r\n\r\nc4nary{ok}\r\nc4nary"),
        ),
        (
            "interim answers without end",
            "HTTP/1.1 103 Early Hints\r\nLink: </c4nary>\r\n\r\n".repeat(2000),
        ),
    ] {
        let request = Request::plain("/ws/page");
        refused(&mut stage, what, &request, &answer, "upstream_bad_response").await;
    }
    stage.stands().await;
}

/// What is right is passed on, and framed anew.
#[tokio::test]
async fn h33_a_plain_answer_with_one_end_is_passed_on() {
    let stage = forwarding().await;
    let interim = "HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n".repeat(20);
    for (what, answer, lengths) in [
        (
            "a length",
            "HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nbody",
            &["4"][..],
        ),
        (
            "a length, twice the same",
            "HTTP/1.1 200 OK\r\nContent-Length: 4\r\nContent-Length: 4\r\n\r\nbody",
            &["4"],
        ),
        (
            "chunks",
            "HTTP/1.1 200 OK\r\ntransfer-encoding: CHUNKED\r\n\r\n4;x=\"y\"\r\nbody\r\n0\r\n\r\n",
            &[],
        ),
        (
            "behind interim answers",
            &format!("{interim}HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nbody"),
            &["4"],
        ),
    ] {
        let mut client = stage.client().await;
        client.send(Request::plain("/ws/page").text()).await;
        let (mut server, _) = stage.upstream.request().await;
        server.send(answer).await;
        let head = last_head(&mut client).await;
        let body = client.body(&head).await;
        assert_eq!((head.status(), &*body), (200, &b"body"[..]), "{what}");
        assert_eq!(head.all("content-length"), lengths, "{what}");
        drop(client);
        server.shut().await;
        server.end().await;
    }
    stage.stands().await;
}

/// Starts a plain answer, of which the rest is still to come.
async fn begun(stage: &Stage, version: &str, framing: &str) -> (Wire, Wire) {
    let mut client = stage.client().await;
    let line = format!("GET /ws/page HTTP/{version}");
    client
        .send(Request::plain("/ws/page").line(&line).text())
        .await;
    let (mut server, _) = stage.upstream.request().await;
    server
        .send(format!("HTTP/1.1 200 OK\r\n{framing}\r\n"))
        .await;
    (client, server)
}

const CHUNKED: &str = "Transfer-Encoding: chunked\r\n";

const BROKEN_OFF: &str = "a response to a plain request stopped";

#[tokio::test]
async fn u13_a_plain_answer_that_breaks_off_does_not_look_whole() {
    let mut stage = forwarding().await;
    for (what, framing, rest, received) in [
        (
            "a size that is none",
            CHUNKED,
            "5\r\nfirst\r\nzz\r\n",
            "5\r\nfirst\r\n",
        ),
        (
            "an end between chunks",
            CHUNKED,
            "5\r\nfirst\r\n",
            "5\r\nfirst\r\n",
        ),
        (
            "an end within a chunk",
            CHUNKED,
            "9\r\nfirst",
            "5\r\nfirst\r\n",
        ),
        (
            "an end before the length",
            "Content-Length: 9\r\n",
            "first",
            "first",
        ),
    ] {
        // In one segment with its fault, and with time between them.
        for whole in [true, false] {
            let (mut client, mut server) = begun(&stage, "1.1", framing).await;
            if whole {
                server.send(rest).await;
                server.shut().await;
            }
            let head = client.head().await;
            assert_eq!(head.status(), 200, "{what}");
            if !whole {
                server.send(rest).await;
                server.shut().await;
            }
            let end = String::from_utf8(client.end().await).unwrap();
            assert_eq!(end, received, "{what}, {whole}");
            server.end().await;
            stage.tells(BROKEN_OFF);
        }
    }
    stage.stands().await;
}

/// Its end is the end of the connection, and so is that of a whole one.
#[tokio::test]
async fn u13_an_old_client_sees_a_reset_for_an_answer_that_breaks_off() {
    let mut stage = forwarding().await;
    let (mut client, mut server) = begun(&stage, "1.0", CHUNKED).await;
    assert_eq!(client.head().await.status(), 200);
    server.send("5\r\nfirst\r\n").await;
    assert_eq!(client.take(5).await, b"first");
    server.send("zz\r\n").await;
    assert!(client.rest().await.is_err());
    server.end().await;
    stage.tells(BROKEN_OFF);

    let (mut client, mut server) = begun(&stage, "1.0", CHUNKED).await;
    server.send("5\r\nfirst\r\n0\r\n\r\n").await;
    assert_eq!(client.head().await.status(), 200);
    assert_eq!(client.rest().await.unwrap(), b"first");
    server.shut().await;
    server.end().await;
    stage.stands().await;
}
