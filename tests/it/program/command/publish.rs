//! `wsgate publish`.

use serde_json::{Value, json};

use super::super::kit::{
    ALL, Authority, BILLING, Echo, PUBLISH, Program, Socket, Upstream, Validity, finish,
    finish_reading, finish_with, settings,
};
use crate::client_tls::listen_tls;

/// A process behind which a client is in the channels `user.1` and `room.1`, and the address of its publish interface.
async fn stage(echo: &Echo, more: &str) -> (Program, String, Socket) {
    let more = format!("channels.join = [\"user.{{path.room}}\", \"room.{{path.room}}\"]\n{more}");
    let text = settings(echo.url(), &more).replace("path = \"/ws/*\"", "path = \"/ws/{room}\"");
    let program = Program::run(&text).await;
    let socket = Socket::open(&program.address, "/ws/1").await;
    let address = program.publish().await;
    (program, address, socket)
}

#[tokio::test]
async fn a_message_is_a_word_or_standard_input() {
    let echo = Echo::start().await;
    let (program, address, mut socket) = stage(&echo, PUBLISH).await;
    let variables = [("WSGATE_PUBLISH_TOKEN", ALL)];
    let at = ["--url", &*address];
    for (arguments, input, expected) in [
        (
            &["publish", "room.1", "one"][..],
            &b"not read"[..],
            "one".into(),
        ),
        (&["publish", "room.1"], b"two\n", "two\n".into()),
        (&["publish", "room.1", "-"], b"", "".into()),
        (
            &["publish", "room.1", "--binary"],
            b"\xFF\0",
            vec![0xFF, 0].into(),
        ),
        (
            &["publish", "room.1", "--binary", "word"],
            b"",
            b"word".to_vec().into(),
        ),
    ] {
        let done = finish_reading(&[arguments, &at].concat(), &variables, input).await;
        assert_eq!((done.code, &*done.stderr), (Some(0), ""), "{done:?}");
        assert_eq!(done.stdout, "on its way to 1 session\n");
        assert_eq!(socket.next().await, expected);
    }
    let wrong = finish_reading(
        &[&["publish", "room.1"][..], &at].concat(),
        &variables,
        b"\xFF",
    )
    .await;
    assert_eq!(wrong.code, Some(1));
    assert!(
        wrong
            .stderr
            .contains("help: publish a binary message with --binary"),
        "{wrong:?}"
    );
    let none = finish_with(&[&["publish", "room.2", "x"][..], &at].concat(), &variables).await;
    assert_eq!(
        (none.code, &*none.stdout),
        (Some(0), "on its way to 0 sessions\n"),
        "{none:?}"
    );
    program.stop().await;
}

#[tokio::test]
async fn it_goes_to_a_session_or_a_user_and_once_under_a_key() {
    let echo = Echo::start().await;
    let (program, address, mut socket) = stage(
        &echo,
        &format!("{PUBLISH}[admin]\naddress = \"127.0.0.1:0\"\n"),
    )
    .await;
    let variables = [("WSGATE_PUBLISH_TOKEN", ALL)];
    let admin = program.admin().await;
    let listed = finish(&["sessions", "--json", "--admin", &admin])
        .await
        .stdout;
    let session: Value = serde_json::from_str(&listed).unwrap();
    let name = session["name"].as_str().unwrap();
    let run = async |arguments: &[&str]| {
        let line = [&["publish", "--url", &address, "--json"], arguments].concat();
        let done = finish_with(&line, &variables).await;
        assert_eq!(done.code, Some(0), "{done:?}");
        serde_json::from_str::<Value>(&done.stdout).unwrap()
    };
    let answer = |reached, repeated| json!({"reached": reached, "gates": 0, "repeated": repeated});
    let keyed = ["--session", name, "--idempotency-key", "k", "once"];
    assert_eq!(run(&keyed).await, answer(1, false));
    assert_eq!(run(&keyed).await, answer(1, true));
    assert_eq!(
        run(&["--subject", "alice", "--issuer", "main", "x"]).await,
        answer(0, false)
    );
    assert_eq!(
        run(&["room.1", "x", "--exclude", name]).await,
        answer(0, false)
    );
    assert_eq!(run(&["room.1", "end"]).await, answer(1, false));
    assert_eq!(socket.next().await, "once".into());
    assert_eq!(socket.next().await, "end".into());
    program.stop().await;
}

#[tokio::test]
async fn the_file_of_settings_says_where_and_with_which_token() {
    let at_socket = PUBLISH.replace("127.0.0.1:0", "unix:publish.sock");
    let tokens = at_socket
        .replace("\"**\"", "\"room.*\"")
        .replace(ALL, "${WSGATE_TEST_ALL}");
    let variables = [("WSGATE_TEST_ALL", ALL)];
    let echo = Echo::start().await;
    let text = settings(echo.url(), &tokens);
    let program = Program::run_with(&text, &variables).await;
    program.publish().await;
    let file = program.file("wsgate.toml");
    let config = ["--config", file.to_str().unwrap()];
    for (arguments, said) in [
        (&["room.1", "x"][..], None),
        (&["user.1", "x"], None),
        (&["--subject", "alice", "x"], None),
        (&["news", "x"], Some("no token of [publish] in ")),
    ] {
        let line = [&["publish"], arguments, &config].concat();
        let done = finish_with(&line, &variables).await;
        assert_eq!(done.code, Some(i32::from(said.is_some())), "{done:?}");
        assert!(done.stderr.contains(said.unwrap_or_default()), "{done:?}");
        assert!(!format!("{done:?}").contains("t0ken"), "{done:?}");
    }
    // A token that is given needs none of the settings.
    let token = program.file("token");
    std::fs::write(&token, format!("{BILLING}\n")).unwrap();
    let given = ["--token-file", token.to_str().unwrap()];
    let line = [&["publish", "user.1", "x"][..], &config, &given].concat();
    let done = finish(&line).await;
    assert_eq!(done.code, Some(0), "{done:?}");
    let line = [&["publish", "room.1", "x"][..], &config, &given].concat();
    let refused = finish(&line).await;
    assert_eq!(
        (refused.code, &*refused.stdout),
        (Some(1), ""),
        "{refused:?}"
    );
    assert!(
        refused
            .stderr
            .contains("the token `billing` does not take this channel"),
        "{refused:?}"
    );
    // The rest of the file does not matter.
    program.rewrite(&format!("{text}\nnonsense = \"${{UNSET}}\"\n"));
    let done = finish_with(
        &[&["publish", "room.1", "x"][..], &config].concat(),
        &variables,
    )
    .await;
    assert_eq!(done.code, Some(0), "{done:?}");
    program.stop().await;
}

#[tokio::test]
async fn it_verifies_the_certificate_of_the_interface() {
    let (echo, authority) = (Echo::start().await, Authority::new());
    let shown = authority.issue("127.0.0.1", Validity::Now);
    let tls = listen_tls(&authority, &[("publish", &shown)], "");
    let tls = tls.replace("[listen.tls]", "[publish.tls]");
    let (program, address, mut socket) = stage(&echo, &format!("{PUBLISH}{tls}")).await;
    let variables = [("WSGATE_PUBLISH_TOKEN", ALL)];
    let url = format!("https://{address}");
    let line = ["publish", "room.1", "x", "--url", &url];
    let done = finish_with(&line, &variables).await;
    assert_eq!(done.code, Some(2), "{done:?}");
    assert!(
        done.stderr.contains("--ca FILE names the authorities"),
        "{done:?}"
    );
    let ca = authority.file();
    let ca = ["--ca", ca.to_str().unwrap()];
    let done = finish_with(&[&line[..], &ca].concat(), &variables).await;
    assert_eq!(done.code, Some(0), "{done:?}");
    // The settings name the very certificate.
    let file = program.file("publisher.toml");
    let table = PUBLISH.replace("127.0.0.1:0", &address);
    std::fs::write(&file, format!("{table}{tls}")).unwrap();
    let done = finish(&["publish", "room.1", "x", "--config", file.to_str().unwrap()]).await;
    assert_eq!(done.code, Some(0), "{done:?}");
    for _ in 0..2 {
        assert_eq!(socket.next().await, "x".into());
    }
    program.stop().await;
}

#[tokio::test]
async fn a_wrong_command_line_and_a_wrong_interface_are_reported() {
    let nobody = Upstream::dead();
    let dead = nobody.url().strip_prefix("ws://").unwrap();
    for (arguments, code, said) in [
        (&["--url", dead][..], 1, "nobody is named to publish to"),
        (
            &["a..b", "x", "--url", dead],
            1,
            "a segment of the name of a channel is empty",
        ),
        (
            &["--session", "1", "x", "--url", dead],
            1,
            "the name of a session is",
        ),
        (
            &["--subject", "a", "x", "y", "--url", dead],
            1,
            "there are two messages",
        ),
        (
            &["a", "x", "--issuer", "main", "--url", dead],
            1,
            "--subject",
        ),
        (
            &["a", "x", "--idempotency-key", "a b", "--url", dead],
            1,
            "visible characters",
        ),
        (
            &["a", "x", "--url", dead, "--config", "a.toml"],
            1,
            "cannot be used with",
        ),
        (
            &["a", "x", "--url", dead],
            2,
            "help: is wsgate running, and does its file have [publish]?",
        ),
        (
            &["a", "x", "--config", "/nowhere/wsgate.toml"],
            1,
            "/nowhere/wsgate.toml",
        ),
    ] {
        let failed = finish(&[&["publish"], arguments].concat()).await;
        assert_eq!(
            (failed.code, &*failed.stdout),
            (Some(code), ""),
            "{failed:?}"
        );
        assert!(failed.stderr.contains(said), "{said}: {}", failed.stderr);
    }
    let echo = Echo::start().await;
    let (program, address, _socket) = stage(&echo, PUBLISH).await;
    for (token, said) in [
        (
            "",
            "requires a token\nhelp: give the token of [publish] with --token-file FILE",
        ),
        (
            "c4nary",
            "requires another token\nhelp: the variable WSGATE_PUBLISH_TOKEN is not a token",
        ),
    ] {
        let variables = [("WSGATE_PUBLISH_TOKEN", token)];
        let failed = finish_with(&["publish", "room.1", "x", "--url", &address], &variables).await;
        assert_eq!(failed.code, Some(1), "{failed:?}");
        assert!(failed.stderr.contains(said), "{}", failed.stderr);
        assert!(!failed.stderr.contains("c4nary"), "{}", failed.stderr);
    }
    let variables = [("WSGATE_PUBLISH_TOKEN", ALL)];
    let long = vec![b'x'; 1024 * 1024 + 1];
    let failed = finish_reading(&["publish", "room.1", "--url", &address], &variables, &long).await;
    assert_eq!(failed.code, Some(1), "{failed:?}");
    assert!(
        failed.stderr.contains("more than 1048576 bytes"),
        "{}",
        failed.stderr
    );
    program.stop().await;
}
