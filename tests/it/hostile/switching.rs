//! Case H23: upstreams whose 101 is not the answer to the request.

use rstest::rstest;

use crate::kit::{ACCEPT, Answer, Frame, Hop, Host, Mood, Stage, Upstream};

/// The right 101, in which one line, named by how it begins, is another.
fn with(line: &str, other: &str) -> String {
    let right = format!(
        "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
         Sec-WebSocket-Accept: {ACCEPT}\r\n"
    );
    let lines = right.split_inclusive("\r\n").map(|right| match right {
        right if right.starts_with(line) => other,
        right => right,
    });
    let answer: String = lines.collect();
    assert_ne!(answer, right, "{line} is no line of it");
    answer + "\r\n"
}

/// The right 101 with further lines (each with its line end).
fn also(lines: &str) -> String {
    with("HTTP/1.1", &format!("HTTP/1.1 101 OK\r\n{lines}"))
}

/// The 101 without this line, with each of the values in it, and with it twice.
fn spoiled(name: &str, value: &str, values: &[&str]) -> Vec<(String, String)> {
    let line = format!("{name}: {value}\r\n");
    let key = format!("{name}:");
    let mut spoiled = vec![
        (format!("no {name}"), with(&key, "")),
        (format!("{name} twice"), with(&key, &line.repeat(2))),
        (
            format!("no colon in {name}"),
            with(&key, &line.replace(':', "")),
        ),
    ];
    spoiled.extend(values.iter().map(|value| {
        let line = format!("{name}: {value}\r\n");
        (format!("{name} is {value:?}"), with(&key, &line))
    }));
    spoiled
}

#[rstest]
#[tokio::test]
async fn h23_upstream_answers_101_with_a_wrong_missing_or_doubled_line(
    #[values(Host::Program, Host::HyperService)] host: Host,
) {
    let mut stage = Stage::on(host, "").await;
    let twice = format!("{ACCEPT}, {ACCEPT}");
    let inside = format!("{ACCEPT} x");
    let quoted = format!("\"{ACCEPT}\"");
    let longer = format!("{ACCEPT}=");
    let mut spoilt = spoiled(
        "Sec-WebSocket-Accept",
        ACCEPT,
        &[
            "",
            // The answer to the key of RFC 6455 §1.3, which is the client's and not the gate's.
            "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=",
            "dGhlIHNhbXBsZSBub25jZQ==",
            "x",
            &twice,
            &inside,
            &quoted,
            &longer,
        ],
    );
    spoilt.extend(spoiled(
        "Upgrade",
        "websocket",
        &[
            "",
            "h2c",
            "websocket, h2c",
            "h2c, websocket",
            "websocket/13",
            "websockets",
            "web socket",
        ],
    ));
    spoilt.extend(spoiled(
        "Connection",
        "Upgrade",
        &[
            "",
            "close",
            "keep-alive",
            "Upgraded",
            "up grade",
            "\"Upgrade\"",
            "Upgrade;q=1",
            "websocket",
        ],
    ));
    for (what, answer) in spoilt {
        let reason = match &*what {
            // A list may have its elements on many lines (RFC 9110 §5.3).
            "Connection twice" => continue,
            what if what.starts_with("no colon") => "upstream_bad_response",
            _ => "bad_101",
        };
        // Frames behind it are nobody's.
        let answer = [answer.as_bytes(), &Frame::text("c4nary").plain()].concat();
        let (head, body) = stage
            .answered(&what, Answer::new(answer), 502, reason)
            .await;
        head.assert(&[
            ("connection", "close"),
            ("upgrade", ""),
            ("sec-websocket-accept", ""),
        ]);
        assert_eq!(body, "the backend answered wrongly\n", "{what}");
    }
    stage.stands().await;
}

#[rstest]
#[tokio::test]
async fn h23_the_accept_value_is_compared_as_it_stands(
    #[values(Host::Program, Host::HyperService)] host: Host,
) {
    let mut stage = Stage::on(host, "").await;
    let other_case = |bytes: Vec<u8>| {
        let text = String::from_utf8(bytes).expect("text");
        let (before, value) = text.split_once("Accept: ").expect("a value");
        let flip = |letter: char| match letter.is_ascii_lowercase() {
            true => letter.to_ascii_uppercase(),
            false => letter.to_ascii_lowercase(),
        };
        let value: String = value.chars().map(flip).collect();
        format!("{before}Accept: {value}")
    };
    let mut client = stage.client().await;
    client.send(Stage::handshake().text()).await;
    let (mut server, asked) = stage.upstream.request().await;
    let answer = other_case(Answer::right("").to(&asked));
    server.send(answer).await;
    assert_eq!(client.response().await.status(), 502);
    client.expect_end().await;
    server.end().await;
    stage.refuses("bad_101");
    stage.stands().await;
}

#[rstest]
#[tokio::test]
async fn h23_a_101_is_right_in_every_spelling_that_rfc_6455_allows(
    #[values(Host::Program, Host::HyperService)] host: Host,
) {
    let mut stage = Stage::on(host, "").await;
    for (what, answer) in [
        ("as it is", with("HTTP/1.1", "HTTP/1.1 101 Switching\r\n")),
        (
            "other options of Connection",
            with("Connection:", "Connection: keep-alive, Upgrade\r\n"),
        ),
        (
            "Connection on two lines",
            with(
                "Connection:",
                "Connection: keep-alive\r\nConnection: Upgrade\r\n",
            ),
        ),
        (
            "Connection says it twice",
            with(
                "Connection:",
                "Connection: Upgrade\r\nConnection: upgrade\r\n",
            ),
        ),
        (
            "empty elements",
            with("Connection:", "Connection: ,, UPGRADE ,\r\n"),
        ),
        ("in other case", with("Upgrade:", "uPGRADE: WebSocket\r\n")),
        (
            "white space around values",
            with("Upgrade:", "Upgrade: \t websocket \t\r\n"),
        ),
        (
            "white space around the answer to the key",
            with(
                "Sec-WebSocket-Accept:",
                &format!("sec-websocket-ACCEPT:\t {ACCEPT} \t\r\n"),
            ),
        ),
        (
            "no white space at all",
            with("Connection:", "Connection:Upgrade\r\n"),
        ),
        ("no words", with("HTTP/1.1", "HTTP/1.1 101\r\n")),
        ("a space for words", with("HTTP/1.1", "HTTP/1.1 101 \r\n")),
        ("other words", with("HTTP/1.1", "HTTP/1.1 101 200 OK\r\n")),
        (
            "an interim answer before it",
            "HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n".to_owned() + &also(""),
        ),
        // A 101 ends with its head, whatever stands in it (RFC 9112 §6.3).
        ("a length", also("Content-Length: 5\r\n")),
        (
            "a wrong length",
            also("Content-Length: 5\r\nContent-Length: 6\r\n"),
        ),
        ("chunks", also("Transfer-Encoding: chunked\r\n")),
        (
            "both",
            also("Content-Length: 5\r\nTransfer-Encoding: chunked\r\nTrailer: X\r\n"),
        ),
    ] {
        let answer = Answer::new(answer);
        let (client, server, head) = stage.switched(&Stage::handshake(), what, answer).await;
        head.assert(&[
            ("connection", "Upgrade"),
            ("upgrade", "websocket"),
            ("sec-websocket-accept", "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="),
            ("content-length", ""),
            ("transfer-encoding", ""),
            ("trailer", ""),
            ("link", ""),
        ]);
        stage.talks(client, server).await;
    }
    stage.stands().await;
}

#[rstest]
#[tokio::test]
async fn h23_what_stands_behind_the_101_in_one_segment_is_delivered(
    #[values(Host::Program, Host::HyperService)] host: Host,
) {
    let mut stage = Stage::on(host, "").await;
    let frames = [
        Frame::text("first"),
        Frame::binary(vec![7; 3000]),
        Frame::ping("third"),
    ];
    let plain: Vec<u8> = frames.iter().flat_map(Frame::plain).collect();
    for cut in [1, 2, plain.len() / 2, plain.len()] {
        let (now, later) = plain.split_at(cut);
        let answer = Answer::right("").and(now);
        let request = Stage::handshake();
        let (mut client, mut server, _) = stage.switched(&request, "frames", answer).await;
        server.send(later).await;
        for frame in &frames {
            client.expect(frame.clone()).await;
        }
        stage.talks(client, server).await;
    }
    stage.stands().await;
}

#[rstest]
#[tokio::test]
async fn h23_the_101_comes_in_two_segments_cut_at_every_byte(
    #[values(Host::Program, Host::HyperService)] host: Host,
) {
    let mut stage = Stage::on(host, "").await;
    let mut cut = 1;
    loop {
        let mut client = stage.client().await;
        client.send(Stage::handshake().text()).await;
        let (mut server, asked) = stage.upstream.request().await;
        let mut answer = Answer::right("").to(&asked);
        answer.extend(Frame::text("behind").plain());
        let (first, second) = answer.split_at(cut);
        server.send(first).await;
        tokio::task::yield_now().await;
        server.send(second).await;
        assert_eq!(client.head().await.status(), 101, "{cut}");
        stage.was_accepted();
        client.expect(Frame::text("behind")).await;
        stage.talks(client, server).await;
        cut += 1;
        if cut == answer.len() {
            break;
        }
    }
    stage.stands().await;
}

#[rstest]
#[tokio::test]
async fn h23_an_answer_comes_byte_by_byte(#[values(Host::Program, Host::HyperService)] host: Host) {
    let upstream = Upstream::start().await;
    let hop = Hop::to(upstream.url()).await;
    hop.set(Mood::Drip);
    let pool = format!("servers = [\"{}\"]", hop.url());
    let mut stage = Stage::on_with(host, upstream, &pool, "", "").await;
    let (client, server) = stage.session().await;
    stage.talks(client, server).await;
    let refusal = Answer::new("HTTP/1.1 403 No\r\nContent-Length: 2\r\n\r\nno");
    let answered = stage.answered("a refusal", refusal, 403, "upstream_answered");
    assert_eq!(answered.await.1, "no");
    drop(hop);
    stage.stands().await;
}
