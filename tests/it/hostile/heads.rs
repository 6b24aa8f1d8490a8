//! Cases H14 and H15: heads that are not of their form, or not of their size.

use crate::kit::Stage;

#[tokio::test]
async fn h14_a_line_that_is_no_header() {
    let mut stage = Stage::set("").await;
    for line in [
        &b"X-A: b\r\n c"[..],
        b"X-A: b\r\n\tc",
        b"X-A:\r\n b",
        b" X-A: b",
        b"\tX-A: b",
        b"X-A : b",
        b"X-A\t: b",
        b"X-A",
        b": b",
        b"X A: b",
        b"X-A: b\rc",
        b"X-A: b\rX-B: c",
        b"X-A: b\r",
        b"X-A: b\r\r",
        b"X-A: b\0c",
        b"X-A: \0",
        b"X-A: b\x01c",
        b"X-A: b\x0bc",
        b"X-A: b\x0cc",
        b"X-A: b\x1bc",
        b"X-A: b\x7fc",
    ] {
        let what = line.escape_ascii().to_string();
        let request = Stage::handshake_with(line);
        stage.refused(&what, request, 400, "bad_request").await;
    }
    for byte in b"\0\x01\x7f\xe9(),/;<=>?@[\\]{}\"" {
        let line = [b"X", &[*byte][..], b"A: b"].concat();
        let what = line.escape_ascii().to_string();
        let request = Stage::handshake_with(line);
        stage.refused(&what, request, 400, "bad_request").await;
    }
    stage.stands().await;
}

#[tokio::test]
async fn h14_line_ends_that_are_none() {
    let mut stage = Stage::set("").await;
    let right = Stage::handshake().text();
    for end in ["\r", "\r\r\n", "\n\r", "\0\n", "\u{b}\r\n"] {
        let request = right.replace("\r\n", end) + "\r\n\r\n";
        stage.refused(end, request, 400, "bad_request").await;
    }
    stage.stands().await;
}

#[tokio::test]
async fn h14_what_passes_is_written_anew() {
    let mut stage = Stage::set("").await;
    let right = Stage::handshake().text();
    let line_feeds = right.replace("\r\n", "\n");
    let empty_lines = format!("\r\n\r\n{right}");
    for (what, request) in [
        ("bare line feeds", line_feeds.into_bytes()),
        ("empty lines before it", empty_lines.into_bytes()),
        (
            "one bare line feed",
            Stage::handshake_with("X-Seen: a\nX-Seen: b"),
        ),
        ("white space", Stage::handshake_with("X-Seen: \t a\tb \t")),
        ("no value", Stage::handshake_with("x-SEEN:")),
        (
            "every byte of a name",
            Stage::handshake_with("!#$%&'*+-.^`|~: a"),
        ),
    ] {
        let asked = stage.accepted(what, request).await;
        let seen = asked.all("x-seen");
        match what {
            "one bare line feed" => assert_eq!(seen, ["a", "b"]),
            "white space" => assert_eq!(seen, ["a\tb"]),
            "no value" => assert_eq!(seen, [""]),
            _ => assert!(seen.is_empty(), "{what}: {seen:?}"),
        }
    }
    // Bytes beyond ASCII are nobody's control characters (RFC 9110 §5.5), and stay as they are.
    let asked = stage
        .accepted(
            "UTF-8",
            Stage::handshake_with("X-Seen: \u{10a}\u{10d}\u{85}a"),
        )
        .await;
    assert_eq!(asked.one("x-seen").as_bytes(), b"\xc4\x8a\xc4\x8d\xc2\x85a");
    stage.stands().await;
}

/// What a head may have by default.
const HEAD_SIZE: usize = 16 * 1024;

/// A right handshake whose head has so many bytes.
fn sized(length: usize) -> String {
    let empty = Stage::handshake().header("X-Pad", "").text().len();
    let pad = "a".repeat(length - empty);
    Stage::handshake().header("X-Pad", &pad).text()
}

#[tokio::test]
async fn h15_a_head_over_its_size() {
    let mut stage = Stage::set("").await;
    for length in [HEAD_SIZE - 1, HEAD_SIZE] {
        let request = sized(length);
        assert_eq!(request.len(), length);
        let asked = stage.accepted("within", request).await;
        assert!(asked.one("x-pad").len() > HEAD_SIZE / 2);
    }
    for length in [HEAD_SIZE + 1, 64 * 1024] {
        let what = length.to_string();
        stage
            .refused(&what, sized(length), 431, "head_too_large")
            .await;
    }
    // In many small lines, and in one line of the request that does not end.
    let many = "X-A: a\r\n".repeat(HEAD_SIZE / 8);
    let many = Stage::handshake_with(many.trim_end());
    stage.refused("lines", many, 431, "head_too_large").await;
    let endless = &sized(2 * HEAD_SIZE)[..2 * HEAD_SIZE - 100];
    stage
        .refused("endless", endless, 431, "head_too_large")
        .await;
    stage.stands().await;
}

#[tokio::test]
async fn h15_a_head_over_its_size_byte_by_byte() {
    let mut stage = Stage::set("").await;
    let mut client = stage.client().await;
    // The last byte that is taken: what comes behind the answer could reset the connection.
    for byte in &sized(2 * HEAD_SIZE).as_bytes()[..HEAD_SIZE] {
        client.send([*byte]).await;
    }
    assert_eq!(client.head().await.status(), 431);
    client.end().await;
    stage.refuses("head_too_large");
    // And one that is not too large, with the end of it in pieces.
    let mut client = stage.client().await;
    for byte in sized(HEAD_SIZE / 2).as_bytes() {
        client.send([*byte]).await;
    }
    let mut server = stage.upstream.session().await;
    assert_eq!(client.head().await.status(), 101);
    stage.was_accepted();
    drop(client);
    server.expect_close(1001).await;
    drop(server);
    stage.ends("client_lost");
    stage.stands().await;
}

#[tokio::test]
async fn h15_more_than_100_headers() {
    let mut stage = Stage::set("").await;
    let more = |count: usize| {
        let lines = "X: a\r\n".repeat(count);
        Stage::handshake_with(lines.trim_end())
    };
    let own = Stage::handshake().text().lines().count() - 2;
    let asked = stage.accepted("100", more(100 - own)).await;
    assert_eq!(asked.all("x").len(), 100 - own);
    for count in [101, 1000] {
        let what = count.to_string();
        stage
            .refused(&what, more(count - own), 431, "head_too_large")
            .await;
    }
    stage.stands().await;
}

#[tokio::test]
async fn h15_a_long_target_within_the_head() {
    let mut stage = Stage::set("").await;
    let path = format!("/ws/{}", "a".repeat(HEAD_SIZE - 1000));
    let request = Stage::handshake().line(&format!("GET {path} HTTP/1.1"));
    let asked = stage.accepted("within", request.text()).await;
    assert_eq!(asked.target(), path);
    stage.stands().await;
}

#[tokio::test]
async fn h15_a_target_over_the_size_of_a_head() {
    let mut stage = Stage::set("").await;
    for target in [
        format!("/ws/{}", "a".repeat(HEAD_SIZE)),
        format!("/ws/a?{}", "a".repeat(2 * HEAD_SIZE)),
        format!("http://{}/ws/a", "a".repeat(HEAD_SIZE)),
    ] {
        let request = Stage::handshake().line(&format!("GET {target} HTTP/1.1"));
        stage
            .refused(&target, request.text(), 414, "head_too_large")
            .await;
    }
    stage.stands().await;
}
