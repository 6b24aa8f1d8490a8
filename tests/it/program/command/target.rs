//! Which process a command is for, and what is said where it cannot be asked.

use std::path::Path;

use super::super::kit::{Program, Upstream, finish, finish_with, settings, soon};
use super::ADMIN;

/// Every command, as it asks for the least.
const COMMANDS: [&[&str]; 8] = [
    &["sessions"],
    &["close", "--all"],
    &["upstreams"],
    &["upstreams", "resume", "chat", "0"],
    &["drain"],
    &["reload"],
    &["channels"],
    &["channels", "room.1"],
];

fn with<'a>(command: &[&'a str], more: &[&'a str]) -> Vec<&'a str> {
    [command, more].concat()
}

/// Settings whose admin interface is a unix socket beside them.
fn on_a_socket(token: &str) -> String {
    let admin = format!("[admin]\naddress = \"unix:admin.sock\"\n{token}");
    settings("ws://127.0.0.1:1", &admin)
}

#[tokio::test]
async fn the_file_of_settings_says_where_and_with_which_token() {
    let variables = [("WSGATE_TEST_TOKEN", "c4nary-t0ken")];
    let text = on_a_socket("token = \"${WSGATE_TEST_TOKEN}\"");
    let program = Program::run_with(&text, &variables).await;
    program.admin().await;
    let file = program.file("wsgate.toml");
    let file = file.to_str().unwrap();
    for command in COMMANDS {
        let done = finish_with(&with(command, &["--config", file]), &variables).await;
        assert_eq!(done.code, Some(0), "{command:?}: {done:?}");
        assert!(!format!("{done:?}").contains("c4nary"), "{done:?}");
    }
    // Without the variable nobody knows the token.
    let unset = finish(&["sessions", "--config", file]).await;
    assert_eq!((unset.code, &*unset.stdout), (Some(1), ""));
    let error = "error: the environment variable `WSGATE_TEST_TOKEN` is not set\n";
    assert!(unset.stderr.starts_with(error), "{unset:?}");
    // What else the file says does not matter to a command.
    program.rewrite(&format!("{text}\nnonsense = \"${{UNSET}}\"\n"));
    let done = finish_with(&["sessions", "--config", file], &variables).await;
    assert_eq!(done.code, Some(0), "{done:?}");
}

#[tokio::test]
async fn a_token_comes_from_a_file_or_from_the_environment_and_is_never_shown() {
    let text = on_a_socket("token = \"c4nary-right\"");
    let program = Program::run(&text).await;
    let admin = program.admin().await;
    let token = |name: &str, token: &str| {
        std::fs::write(program.file(name), token).unwrap();
        program.file(name).to_str().unwrap().to_owned()
    };
    let (right, wrong) = (
        token("right", "c4nary-right\n"),
        token("wrong", "c4nary-wrong"),
    );
    let empty = token("empty", "\n");
    let absent = program.file("absent").to_str().unwrap().to_owned();
    let stale = program.file("stale.toml").to_str().unwrap().to_owned();
    std::fs::write(&stale, text.replace("right", "stale")).unwrap();
    let open = program.file("open.toml").to_str().unwrap().to_owned();
    std::fs::write(&open, on_a_socket("")).unwrap();
    let at = ["--admin", &*admin];
    for (arguments, variable, said) in [
        (vec!["--admin", &admin, "--token-file", &right], "", None),
        (at.to_vec(), "c4nary-right", None),
        (
            vec!["--admin", &admin, "--token-file", &right],
            "c4nary-wrong",
            None,
        ),
        (vec!["--config", &stale, "--token-file", &right], "", None),
        (
            at.to_vec(),
            "",
            Some("requires a token\nhelp: give the token of [admin] with --token-file FILE"),
        ),
        (
            at.to_vec(),
            "c4nary-wrong",
            Some("requires another token\nhelp: the variable WSGATE_ADMIN_TOKEN is not the token"),
        ),
        (
            vec!["--admin", &admin, "--token-file", &wrong],
            "c4nary-right",
            Some("requires another token\nhelp: the file "),
        ),
        (
            vec!["--config", &stale],
            "c4nary-right",
            Some("help: the process has another token than [admin] in "),
        ),
        (
            vec!["--config", &open],
            "c4nary-right",
            Some("open.toml has no token in [admin]"),
        ),
        (
            vec!["--admin", &admin, "--token-file", &empty],
            "",
            Some("has no valid token"),
        ),
        (
            vec!["--admin", &admin, "--token-file", &absent],
            "",
            Some("cannot be read: No such file"),
        ),
    ] {
        let variables = [("WSGATE_ADMIN_TOKEN", variable)];
        let done = finish_with(&with(&["reload"], &arguments), &variables).await;
        let expected = if said.is_some() { 1 } else { 0 };
        assert_eq!(done.code, Some(expected), "{arguments:?}: {done:?}");
        assert!(done.stderr.contains(said.unwrap_or_default()), "{done:?}");
        assert!(!format!("{done:?}").contains("c4nary"), "{done:?}");
    }
}

#[tokio::test]
async fn a_command_that_reaches_no_process_says_what_to_do() {
    let nobody = Upstream::dead();
    let dead = nobody.url().strip_prefix("ws://").unwrap();
    for command in COMMANDS {
        let absent = finish(&with(command, &["--admin", dead])).await;
        assert_eq!((absent.code, &*absent.stdout), (Some(2), ""), "{command:?}");
        let error = format!(
            "error: nothing listens on {dead}\n\
             help: is wsgate running, and does its file have [admin]?\n"
        );
        assert_eq!(absent.stderr, error);
    }
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("wsgate.toml");
    let file = file.to_str().unwrap();
    for (admin, code, said) in [
        (
            "",
            1,
            "has no [admin], so its process takes no commands\nhelp: add",
        ),
        (ADMIN, 1, "has port 0"),
        (
            "[admin]\naddress = \"unix:admin.sock\"\n",
            2,
            "nothing listens on unix:",
        ),
    ] {
        std::fs::write(file, settings("ws://127.0.0.1:1", admin)).unwrap();
        let failed = finish(&["sessions", "--config", file]).await;
        assert_eq!(
            (failed.code, &*failed.stdout),
            (Some(code), ""),
            "{failed:?}"
        );
        assert!(failed.stderr.contains(said), "{}", failed.stderr);
    }
    for (arguments, said) in [
        (["--config", "/nowhere/wsgate.toml"], "/nowhere/wsgate.toml"),
        (["--admin", "https://127.0.0.1:0"], "port 0"),
        (
            ["--admin", "nonsense"],
            "write http://127.0.0.1:9900, https://host:port or unix:/path",
        ),
    ] {
        let failed = finish(&with(&["sessions"], &arguments)).await;
        assert_eq!((failed.code, &*failed.stdout), (Some(1), ""), "{failed:?}");
        assert!(failed.stderr.contains(said), "{}", failed.stderr);
    }
    if !Path::new("/etc/wsgate/wsgate.toml").exists() {
        let failed = finish(&["sessions"]).await;
        assert_eq!(failed.code, Some(1), "{failed:?}");
        assert!(failed.stderr.contains("--config FILE"), "{}", failed.stderr);
    }
}

#[tokio::test]
async fn an_address_that_is_not_an_admin_interface_is_reported() {
    for answer in [
        "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok",
        "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}",
        "HTTP/1.1 404 Not Found\r\nContent-Length: 7\r\n\r\nnothing",
    ] {
        for command in COMMANDS {
            let stranger = Upstream::start().await;
            let url = stranger.url();
            let address = url.strip_prefix("ws://").unwrap();
            let arguments = with(command, &["--admin", address]);
            let asked = async {
                let (mut wire, head) = soon("a request", stranger.request()).await;
                assert_eq!(head.one("host"), address);
                wire.send(answer).await;
                wire
            };
            let (failed, _wire) = tokio::join!(finish(&arguments), asked);
            assert_eq!(failed.code, Some(1), "{command:?}: {failed:?}");
            let error = "is not the admin interface of this wsgate\nhelp: is this the address";
            assert!(failed.stderr.contains(error), "{}", failed.stderr);
        }
    }
    let stranger = Upstream::start().await;
    let url = stranger.url();
    let address = url.strip_prefix("ws://").unwrap();
    let hangs_up = async { drop(soon("a request", stranger.request()).await) };
    let arguments = ["sessions", "--admin", address];
    let (failed, ()) = tokio::join!(finish(&arguments), hangs_up);
    assert_eq!(failed.code, Some(2), "{failed:?}");
    assert!(failed.stderr.contains("the connection to"), "{failed:?}");
}
