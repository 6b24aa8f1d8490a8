//! Cases H23 and H25: what an upstream chooses of the subprotocols and extensions.

use rstest::rstest;

use crate::kit::{Answer, Host, Request, Stage};

#[rstest]
#[tokio::test]
async fn h23_the_subprotocol_is_none_that_was_offered(
    #[values(Host::Program, Host::HyperService)] host: Host,
) {
    let mut stage = Stage::on(host, "").await;
    let none = Stage::handshake();
    let two = none
        .clone()
        .header("Sec-WebSocket-Protocol", "chat.v1, c4nary.v2");
    let line = |value: &str| format!("Sec-WebSocket-Protocol: {value}\r\n");
    let mut refused = vec![(&none, line("chat.v1")), (&none, line(""))];
    for value in [
        "",
        ",",
        "chat.v3",
        "Chat.v1",
        "chat.v1, c4nary.v2",
        "chat.v1,",
        "chat",
        "chat.v11",
        "\"chat.v1\"",
        "chat.v1 c4nary.v2",
        "chat.v1;x",
    ] {
        refused.push((&two, line(value)));
    }
    refused.push((&two, line("chat.v1").repeat(2)));
    refused.push((&two, line("chat.v1") + &line("c4nary.v2")));
    for (request, lines) in refused {
        let answer = Answer::right(&lines);
        let answered = stage.answered_to(request, &lines, answer, 502, "bad_subprotocol");
        answered.await.0.assert(&[("sec-websocket-protocol", "")]);
    }
    for (request, lines, chosen) in [
        (&two, String::new(), ""),
        (&two, line("chat.v1"), "chat.v1"),
        (&two, line("\t c4nary.v2 "), "c4nary.v2"),
    ] {
        let answer = Answer::right(&lines);
        let (client, server, head) = stage.switched(request, &lines, answer).await;
        head.assert(&[("sec-websocket-protocol", chosen)]);
        stage.talks(client, server).await;
    }
    stage.stands().await;
}

fn offering(offer: &str) -> Request {
    match offer {
        "" => Stage::handshake(),
        offer => Stage::handshake().header("Sec-WebSocket-Extensions", offer),
    }
}

#[rstest]
#[tokio::test]
async fn h25_upstream_selects_an_extension_that_was_not_offered(
    #[values(Host::Program, Host::HyperService)] host: Host,
) {
    let mut stage = Stage::on(host, "").await;
    let deflate = "permessage-deflate";
    let bits = "permessage-deflate; server_max_window_bits=10";
    let strict = "permessage-deflate; server_no_context_takeover";
    let with = |parameters: &str| format!("permessage-deflate; {parameters}");
    let valueless = with("client_max_window_bits");
    for (offer, chosen) in [
        ("", deflate.to_owned()),
        ("", String::new()),
        ("", "x-unknown".to_owned()),
        ("x-unknown", "x-unknown".to_owned()),
        (deflate, String::new()),
        (deflate, ",".to_owned()),
        (deflate, "x-webkit-deflate-frame".to_owned()),
        (deflate, "permessage-bzip2".to_owned()),
        (deflate, "permessage".to_owned()),
        (deflate, "permessage-deflate2".to_owned()),
        (deflate, "permessage-deflate, x-unknown".to_owned()),
        (deflate, "permessage-deflate, permessage-deflate".to_owned()),
        (deflate, with("unknown")),
        (deflate, with("unknown=1")),
        (deflate, with("server_no_context_takeover=1")),
        (
            deflate,
            with("server_no_context_takeover; server_no_context_takeover"),
        ),
        (
            deflate,
            with("client_no_context_takeover; client_no_context_takeover"),
        ),
        (deflate, with("server_max_window_bits")),
        (deflate, with("client_max_window_bits=10")),
        (deflate, valueless.clone()),
        // It may be offered without a value, and not be chosen without one (RFC 7692 §7.1.2.2).
        (&valueless, valueless.clone()),
        (deflate, "permessage-deflate;".to_owned()),
        (
            deflate,
            "permessage-deflate server_max_window_bits=10".to_owned(),
        ),
        (bits, deflate.to_owned()),
        (bits, with("server_max_window_bits=11")),
        (bits, with("server_max_window_bits=7")),
        (bits, with("server_max_window_bits=16")),
        (bits, with("server_max_window_bits=0")),
        (bits, with("server_max_window_bits=-9")),
        (bits, with("server_max_window_bits=09")),
        (bits, with("server_max_window_bits=256")),
        (bits, with("server_max_window_bits=266")),
        (bits, with("server_max_window_bits=\"\"")),
        (
            bits,
            with("server_max_window_bits=10; server_max_window_bits=10"),
        ),
        (
            bits,
            with("server_max_window_bits=10; server_max_window_bits=9"),
        ),
        (strict, deflate.to_owned()),
        (strict, with("client_no_context_takeover")),
    ] {
        let lines = format!("Sec-WebSocket-Extensions: {chosen}\r\n");
        let answer = Answer::right(&lines);
        let what = format!("{chosen:?} to {offer:?}");
        let request = offering(offer);
        let answered = stage.answered_to(&request, &what, answer, 502, "bad_extension");
        answered.await.0.assert(&[("sec-websocket-extensions", "")]);
    }
    let twice = "Sec-WebSocket-Extensions: permessage-deflate\r\n".repeat(2);
    let answer = Answer::right(&twice);
    let request = offering(deflate);
    let answered = stage.answered_to(&request, "twice", answer, 502, "bad_extension");
    answered.await;
    stage.stands().await;
}

#[rstest]
#[tokio::test]
async fn h25_upstream_selects_what_was_offered_in_every_spelling(
    #[values(Host::Program, Host::HyperService)] host: Host,
) {
    let mut stage = Stage::on(host, "").await;
    let bits = "permessage-deflate; server_max_window_bits=10";
    for (offer, chosen) in [
        ("permessage-deflate", None),
        ("permessage-deflate", Some("permessage-deflate")),
        ("permessage-deflate", Some("PERMESSAGE-Deflate ,")),
        (
            "permessage-deflate",
            Some("permessage-deflate; server_max_window_bits=15"),
        ),
        (bits, Some("permessage-deflate; server_max_window_bits=10")),
        (
            bits,
            Some("permessage-deflate;server_max_window_bits=\"9\""),
        ),
        (bits, Some("permessage-deflate; SERVER_max_window_bits=8")),
    ] {
        let lines = chosen.map(|chosen| format!("Sec-WebSocket-Extensions: {chosen}\r\n"));
        let answer = Answer::right(&lines.unwrap_or_default());
        let what = format!("{chosen:?} to {offer:?}");
        let (client, server, head) = stage.switched(&offering(offer), &what, answer).await;
        let agreed = head.all("sec-websocket-extensions");
        assert_eq!(agreed.len(), chosen.iter().len(), "{what}: {head:#?}");
        stage.talks(client, server).await;
    }
    stage.stands().await;
}
