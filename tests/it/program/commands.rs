//! The command line: what each command prints, where to, and its exit code.

use std::path::Path;

use serde_json::Value;

use super::kit::{Echo, Socket, Upstream, Wire, finish, finish_with, settings, soon, spawn};
use super::kit::{Finished, Program};

/// Runs `wsgate COMMAND FILE` on a file with this text.
async fn finish_on(command: &str, text: &str, variables: &[(&str, &str)]) -> Finished {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("wsgate.toml");
    std::fs::write(&file, text).unwrap();
    finish_with(&[command, file.to_str().unwrap()], variables).await
}

#[tokio::test]
async fn help_names_every_command_and_the_version_is_the_packages() {
    let help = finish(&["--help"]).await;
    assert_eq!((help.code, &*help.stderr), (Some(0), ""));
    for command in [
        "run",
        "check",
        "demo",
        "probe",
        "schema",
        "wsgate run --to ws://",
    ] {
        assert!(help.stdout.contains(command), "{command}: {}", help.stdout);
    }
    let of_admin = [
        "sessions",
        "close",
        "upstreams",
        "drain",
        "reload",
        "top",
        "channels",
    ];
    for command in of_admin.into_iter().chain(["publish"]) {
        let in_list = help
            .stdout
            .lines()
            .any(|line| line.starts_with(&format!("  {command} ")));
        assert!(in_list, "{command}: {}", help.stdout);
        let help = finish(&[command, "--help"]).await;
        assert_eq!((help.code, &*help.stderr), (Some(0), ""));
        for part in [
            "Examples:",
            "Exit codes:",
            "--config",
            if command == "publish" {
                "--url"
            } else {
                "--admin"
            },
            "--token-file",
        ] {
            assert!(
                help.stdout.contains(part),
                "{command}: {part}: {}",
                help.stdout
            );
        }
    }
    let help = finish(&["run", "--help"]).await;
    assert_eq!(help.code, Some(0));
    for part in ["--to", "--listen", "--http", "Exit codes", "143"] {
        assert!(help.stdout.contains(part), "{part}: {}", help.stdout);
    }
    let version = finish(&["--version"]).await;
    let expected = format!("wsgate {}\n", env!("CARGO_PKG_VERSION"));
    assert_eq!((version.code, version.stdout), (Some(0), expected));
}

#[tokio::test]
async fn a_wrong_command_line_is_an_error_on_standard_error_and_exits_with_1() {
    for arguments in [
        &[][..],
        &["serve"],
        &["run"],
        &["check"],
        &["run", "wsgate.toml", "--to", "ws://127.0.0.1:1"],
        &["run", "--listen", "127.0.0.1:0"],
        &["schema", "--nonsense"],
    ] {
        let usage = finish(arguments).await;
        assert_eq!(usage.code, Some(1), "{arguments:?}");
        assert_eq!(usage.stdout, "", "{arguments:?}");
        assert!(usage.stderr.contains("Usage: wsgate"), "{}", usage.stderr);
    }
}

#[tokio::test]
async fn check_shows_what_right_settings_come_to() {
    let text = settings("ws://127.0.0.1:9001", "limits.message_size = \"1MiB\"");
    let check = finish_on("check", &text, &[]).await;
    assert_eq!((check.code, &*check.stderr), (Some(0), ""), "{check:?}");
    let lines: Vec<_> = check.stdout.lines().collect();
    assert_eq!(lines[0], "listen  127.0.0.1:0");
    for line in [
        "route chat",
        "  path       /ws/*",
        "  servers    ws://127.0.0.1:9001",
        "  origin     same-origin",
        "  limits     message 1MiB",
    ] {
        assert!(lines.contains(&line), "{line}: {lines:#?}");
    }
}

#[tokio::test]
async fn check_warns_and_still_exits_with_0() {
    let text = settings("ws://127.0.0.1:9001", "[drain]\nspread = \"1m\"");
    let check = finish_on("check", &text, &[]).await;
    assert_eq!(check.code, Some(0));
    let warning = "warning: the closes are spread over three quarters of the deadline";
    let said = &check.stderr;
    assert!(said.starts_with(warning), "{said}");
    for part in [
        "wsgate.toml:12:10\n",
        "12 | spread = \"1m\"\n",
        "|          ^^^^\n",
    ] {
        assert!(said.contains(part), "{part} in {said}");
    }
    let last = said.lines().last().unwrap();
    assert!(last.starts_with("1 warning in "), "{said}");
    assert!(!check.stdout.contains("warning"), "{}", check.stdout);
}

/// Three errors, and what is said of each.
const WRONG: &str = "\
[[listen]]
address = \"nowhere\"

[upstream.chat]
servers = [\"ws://127.0.0.1:9001\"]
retrys = 2

[[route]]
name = \"chat\"
path = \"/ws/*\"
upstream = \"chta\"
";

#[tokio::test]
async fn every_error_of_the_settings_is_shown_with_its_line_and_a_caret() {
    for command in ["check", "run"] {
        let wrong = finish_on(command, WRONG, &[]).await;
        assert_eq!((wrong.code, &*wrong.stdout), (Some(1), ""), "{command}");
        let errors = &wrong.stderr;
        assert_eq!(errors.matches("error: ").count(), 3, "{errors}");
        let last = errors.lines().last().unwrap();
        assert!(last.starts_with("3 errors in "), "{errors}");
        for (place, line, mark) in [
            (":2:11", "2 | address = \"nowhere\"", "^^^^^^^^^"),
            (":6:1", "6 | retrys = 2", "^^^^^^"),
            (":11:12", "11 | upstream = \"chta\"", "^^^^^^"),
        ] {
            assert!(errors.contains(&format!("wsgate.toml{place}")), "{errors}");
            let below = errors
                .lines()
                .skip_while(|found| !found.contains(line))
                .nth(1);
            let below = below.unwrap_or_else(|| panic!("{line} in\n{errors}"));
            assert!(below.contains(mark), "{below} in\n{errors}");
        }
        assert!(!errors.contains('\x1b'), "no color in a pipe: {errors:?}");
    }
}

#[tokio::test]
async fn a_file_that_cannot_be_read_says_why() {
    for command in ["check", "run"] {
        let absent = finish(&[command, "/nowhere/wsgate.toml"]).await;
        assert_eq!(absent.code, Some(1), "{absent:?}");
        assert!(absent.stderr.contains("/nowhere/wsgate.toml"), "{absent:?}");
        assert!(absent.stderr.contains("No such file"), "{absent:?}");
    }
}

#[tokio::test]
async fn a_log_level_that_is_none_is_an_error_before_anything_is_bound() {
    let text = settings("ws://127.0.0.1:9001", "").replace(
        "format = \"json\"",
        "format = \"json\"\nlevel = \"info,wsgate=loud\"",
    );
    for command in ["check", "run"] {
        let wrong = finish_on(command, &text, &[]).await;
        assert_eq!((wrong.code, &*wrong.stdout), (Some(1), ""), "{wrong:?}");
        let error = "error: `info,wsgate=loud` is not a filter for the log";
        assert!(wrong.stderr.contains(error), "{}", wrong.stderr);
        assert!(wrong.stderr.contains("help: "), "{}", wrong.stderr);
        assert!(!wrong.stderr.contains("listening"), "{}", wrong.stderr);
    }
}

#[tokio::test]
async fn the_schema_is_json_that_has_the_keys() {
    let schema = finish(&["schema"]).await;
    assert_eq!((schema.code, &*schema.stderr), (Some(0), ""));
    let schema: Value = serde_json::from_str(&schema.stdout).unwrap();
    let tables = &schema["properties"];
    for table in [
        "listen",
        "client_ip",
        "admin",
        "log",
        "drain",
        "server",
        "upstream",
        "defaults",
        "route",
    ] {
        assert!(tables[table].is_object(), "{table}");
    }
    let text = schema.to_string();
    for key in [
        "head_size",
        "handshake_timeout",
        "validate_utf8",
        "on_exceed",
    ] {
        assert!(text.contains(&format!("\"{key}\":{{")), "{key}");
    }
}

#[tokio::test]
async fn a_reader_that_has_read_enough_is_no_error() {
    let mut child = spawn(&["schema"], &[]);
    drop(child.stdout.take());
    let ended = soon("the program to end", child.wait_with_output()).await;
    let ended = ended.unwrap();
    assert_eq!(ended.status.code(), Some(0));
    assert_eq!(ended.stderr, b"");
}

#[tokio::test]
async fn variables_of_the_environment_stand_in_settings() {
    let text = settings("ws://${WSGATE_TEST_SERVER}", "");
    let variables = [("WSGATE_TEST_SERVER", "127.0.0.1:9007")];
    let set = finish_on("check", &text, &variables).await;
    assert_eq!(set.code, Some(0), "{set:?}");
    assert!(set.stdout.contains("  ws://127.0.0.1:9007\n"), "{set:?}");
    let unset = finish_on("check", &text, &[]).await;
    assert_eq!(unset.code, Some(1), "{unset:?}");
    assert!(unset.stderr.contains("WSGATE_TEST_SERVER"), "{unset:?}");
    let wrong = finish_on(
        "check",
        &text,
        &[("WSGATE_TEST_SERVER", "c4nary with spaces")],
    )
    .await;
    assert_eq!(wrong.code, Some(1), "{wrong:?}");
    assert!(!wrong.stderr.contains("c4nary"), "{wrong:?}");
}

#[tokio::test]
async fn run_serves_by_a_file() {
    let echo = Echo::start().await;
    let program = Program::run(&settings(echo.url(), "")).await;
    let mut socket = Socket::open(&program.address, "/ws/room").await;
    socket.echoes("through the gate").await;
    socket.close().await;
    program.stop().await;
}

#[tokio::test]
async fn run_serves_one_server_without_a_file() {
    let echo = Echo::start().await;
    let arguments = ["run", "--to", echo.url(), "--listen", "127.0.0.1:0"];
    let program = Program::serving(&arguments).await;
    let mut socket = Socket::open(&program.address, "/anywhere").await;
    socket.echoes("through the gate").await;
    // It would take leave over the ten seconds that are the default.
    drop(program);
}

#[tokio::test]
async fn plain_http_beside_one_server_is_refused_with_what_to_do_or_forwarded() {
    let upstream = Upstream::start().await;
    for (more, is_forwarded) in [(&[][..], false), (&["--http", "forward"], true)] {
        let arguments = ["run", "--to", upstream.url(), "--listen", "127.0.0.1:0"];
        let program = Program::serving(&[&arguments, more].concat()).await;
        let said = |line: &str| line.contains("Plain HTTP").then(|| line.to_owned());
        let said = program.line("what happens to plain HTTP", said).await;
        let is_said = said.contains("sent to the server too");
        assert_eq!(is_said, is_forwarded, "{said}");
        let mut wire = Wire::connect(&program.address).await;
        let host = &program.address;
        wire.send(format!("GET /page HTTP/1.1\r\nHost: {host}\r\n\r\n"))
            .await;
        if is_forwarded {
            let (mut server, request) = upstream.request().await;
            assert_eq!(request.line, "GET /page HTTP/1.1");
            server
                .send("HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\npage")
                .await;
            assert_eq!(wire.response().await.text(), "page");
        } else {
            let refusal = wire.response().await;
            assert_eq!(refusal.status(), 426);
            assert_eq!(
                refusal.text(),
                "this is a WebSocket endpoint\nStart wsgate with `--http forward` to send plain HTTP \
                 to the server too.\n"
            );
        }
    }
    let alone = finish(&["run", "wsgate.toml", "--http", "forward"]).await;
    assert_eq!(alone.code, Some(1), "{alone:?}");
}

#[tokio::test]
async fn a_url_or_an_address_that_is_none_is_an_error() {
    for (to, listen, said) in [
        ("nonsense", "127.0.0.1:0", "the upstream's URL"),
        ("ws://127.0.0.1:1", "nowhere", "the listen address"),
    ] {
        let wrong = finish(&["run", "--to", to, "--listen", listen]).await;
        assert_eq!(wrong.code, Some(1), "{wrong:?}");
        assert!(wrong.stderr.contains(said), "{wrong:?}");
        assert!(wrong.stderr.starts_with("error: "), "{wrong:?}");
    }
}

#[tokio::test]
async fn an_address_in_use_is_an_error_with_help() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let arguments = ["run", "--to", "ws://127.0.0.1:1", "--listen", &address];
    let failed = finish(&arguments).await;
    assert_eq!(failed.code, Some(2), "{failed:?}");
    let error = format!("error: cannot listen on {address}: ");
    assert!(failed.stderr.contains(&error), "{}", failed.stderr);
    assert!(failed.stderr.contains("help: stop what listens there"));
    let admin = format!("[admin]\naddress = \"{address}\"");
    let failed = finish_on("run", &settings("ws://127.0.0.1:1", &admin), &[]).await;
    assert_eq!(failed.code, Some(2), "{failed:?}");
    assert!(failed.stderr.contains(&error), "{}", failed.stderr);
    assert!(!failed.stderr.contains("listening"), "all or nothing");
}

#[tokio::test]
async fn the_settings_that_ship_pass_check() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("config");
    let mut checked = 0;
    for entry in std::fs::read_dir(folder).unwrap() {
        let file = entry.unwrap().path();
        let token = [("WSGATE_ADMIN_TOKEN", "t0ken")];
        let check = finish_with(&["check", file.to_str().unwrap()], &token).await;
        assert_eq!(check.code, Some(0), "{check:?}");
        assert!(!check.stdout.contains("t0ken"), "{check:?}");
        assert!(!check.stdout.contains("warning"), "{check:?}");
        checked += 1;
    }
    assert!(checked >= 4, "{checked} files");
}
