//! What the program says of TLS with clients.

use std::fs::Permissions;
use std::os::unix::fs::PermissionsExt;
use std::time::{Duration, SystemTime};

use tokio_rustls::rustls::version::{TLS12, TLS13};

use super::metrics::{ADMIN, ONE_WORKER, scrape, steps};
use crate::client_tls::{listen_tls, serving};
use crate::kit::{
    Authority, BOTH, Echo, Program, Socket, TlsPeer, Upstream, Validity, Wire, answer, docs, finish,
};

const DAY: Duration = Duration::from_secs(24 * 60 * 60);

#[tokio::test]
async fn each_tls_handshake_is_one_step_of_one_count() {
    let (authority, stranger) = (Authority::new(), Authority::new());
    let upstream = Upstream::start().await;
    let shown = authority.issue("a.test", Validity::Now);
    let tls = listen_tls(&authority, &[("a", &shown)], "");
    let more = format!("{ONE_WORKER}handshake_timeout = \"400ms\"\n{ADMIN}");
    let program = Program::run(&serving(upstream.url(), &tls, &more)).await;
    let admin = program.admin().await;
    let mut before = scrape(&admin).await;
    let mut stepped = async |expected: &str| {
        let after = scrape(&admin).await;
        assert_eq!(after["wsgate_tls_handshakes_open"], 0.0, "{expected}");
        let name = format!("wsgate_tls_handshakes_{expected}");
        let found = steps(&before, &after, "wsgate_tls_handshakes_");
        assert_eq!(found, [(&*name, 1.0)]);
        before = after;
    };
    for (version, word) in [(&TLS12, "1.2"), (&TLS13, "1.3")] {
        let peer = TlsPeer::new(&authority, None, &[version]);
        for resumed in [false, true] {
            let connected = peer.connect(&program.address, "a.test", true).await;
            let mut wire = connected.unwrap().0;
            // Tickets of version 1.3 come with the first answer.
            wire.send("GET /nothing HTTP/1.1\r\nHost: a.test\r\n\r\n")
                .await;
            assert_eq!(wire.response().await.status(), 404);
            stepped(&format!(
                "total{{version=\"{word}\",resumed=\"{resumed}\"}}"
            ))
            .await;
        }
    }

    let suspicious = TlsPeer::new(&stranger, None, BOTH);
    let refused = suspicious.connect(&program.address, "a.test", true).await;
    assert!(refused.is_err());
    program.event("request rejected").await;
    stepped("failed_total{reason=\"tls_refused\"}").await;
    for (sent, ends, reason) in [
        (
            &b"GET / HTTP/1.1\r\nHost: a.test\r\n\r\n"[..],
            false,
            "not_tls",
        ),
        (b"\x16\x03\x01\x00\x04\xff\x00\x00\x00", false, "bad_tls"),
        // A part of a ClientHello.
        (b"\x16\x03\x01\x02\x00\x01", true, "abandoned"),
        (b"", true, "abandoned"),
        (b"\x16\x03\x01\x02\x00\x01", false, "unfinished"),
    ] {
        let mut wire = Wire::connect(&program.address).await;
        wire.send(sent).await;
        if ends {
            wire.shut().await;
        }
        let _alert_or_answer = wire.end().await;
        stepped(&format!("failed_total{{reason=\"{reason}\"}}")).await;
    }
    program.stop().await;
}

#[tokio::test]
async fn every_reason_of_failed_handshakes_is_in_the_documents() {
    let upstream = Upstream::start().await;
    let program = Program::run(&serving(upstream.url(), "", ADMIN)).await;
    let samples = scrape(&program.admin().await).await;
    let pages = docs::pages();
    let reasons: Vec<_> = (samples.keys())
        .filter_map(|name| name.strip_prefix("wsgate_tls_handshakes_failed_total{reason=\""))
        .map(|reason| reason.trim_end_matches("\"}"))
        .collect();
    assert_eq!(reasons.len(), 9, "{reasons:?}");
    for reason in reasons {
        assert!(pages.contains(&format!("`{reason}`")), "{reason}");
    }
    program.stop().await;
}

#[tokio::test]
async fn the_expiry_of_each_certificate_is_a_metric_that_follows_its_file() {
    let (authority, upstream) = (Authority::new(), Upstream::start().await);
    let [first, second] = [10, 20].map(|days| authority.issue("a.test", Validity::For(DAY * days)));
    let tls = listen_tls(&authority, &[("a", &first), ("b", &second)], "");
    let program = Program::run(&serving(upstream.url(), &tls, ADMIN)).await;
    let admin = program.admin().await;
    let began = async || {
        let file = authority.file_of("a.pem");
        let labels = format!("listener=\"127.0.0.1:0\",file=\"{}\"", file.display());
        let name = format!("wsgate_certificate_not_before_timestamp_seconds{{{labels}}}");
        scrape(&admin).await[&name]
    };
    // 1975-01-01
    assert_eq!(began().await, 157_766_400.0);
    let days_left = async || {
        let samples = scrape(&admin).await;
        let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
        let now = now.unwrap().as_secs_f64();
        ["a", "b"].map(|name| {
            let file = authority.file_of(&format!("{name}.pem"));
            let labels = format!("listener=\"127.0.0.1:0\",file=\"{}\"", file.display());
            let name = format!("wsgate_certificate_expiry_timestamp_seconds{{{labels}}}");
            ((samples[&name] - now) / DAY.as_secs_f64()).round()
        })
    };
    assert_eq!(days_left().await, [10.0, 20.0]);
    let address = format!("http://{admin}");
    let top = finish(&["top", "--interval", "100ms", "--admin", &address]).await;
    let file = authority.file_of("a.pem");
    let expected = format!("certificate {} expires in 9d23h\n", file.display());
    assert!(top.stdout.contains(&expected), "{top:?}");
    let renewed = authority.issue("a.test", Validity::For(DAY * 90));
    authority.write_identity_as("a", &renewed);
    program.event("settings reloaded").await;
    assert_eq!(days_left().await, [90.0, 20.0]);
    program.stop().await;
}

#[tokio::test]
async fn the_version_is_in_the_lines_and_the_list_of_sessions_and_nobodys_name_is() {
    let (authority, echo) = (Authority::new(), Echo::start().await);
    let upstream = Upstream::start().await;
    let shown = authority.issue("a.test", Validity::Now);
    let known = authority.issue("a known client", Validity::Now);
    let more = format!(
        "client_auth = \"required\"\nclient_ca = {:?}",
        authority.file()
    );
    let tls = listen_tls(&authority, &[("a", &shown)], &more);
    let plain = format!(
        "{ADMIN}[upstream.plain]\nservers = [\"{}\"]\n\
         [[route]]\nname = \"plain\"\npath = \"/plain\"\nupstream = \"plain\"\nhttp = \"forward\"\n",
        upstream.url()
    );
    let program = Program::run(&serving(echo.url(), &tls, &plain)).await;
    let admin = program.admin().await;
    for (nth, (version, word)) in [(&TLS12, "1.2"), (&TLS13, "1.3")].into_iter().enumerate() {
        let peer = TlsPeer::new(&authority, Some(&known), &[version]);
        let connected = peer.connect(&program.address, "a.test", true).await;
        let wire = connected.unwrap().0;
        let socket = Socket::open_on(wire, "a.test", "/ws/", &[]).await.unwrap();
        assert_eq!(program.nth_event(nth, "session open").await["tls"], word);
        let listed = listed(&admin).await;
        assert_eq!(listed["sessions"][0]["tls"], word);
        socket.close().await;
        assert_eq!(program.nth_event(nth, "session closed").await["tls"], word);

        let connected = peer.connect(&program.address, "a.test", true).await;
        let mut wire = connected.unwrap().0;
        wire.send("GET /plain HTTP/1.1\r\nHost: a.test\r\n\r\n")
            .await;
        let (mut server, _) = upstream.request().await;
        server
            .send(answer("200 OK", "Connection: close\r\n", "ok"))
            .await;
        assert_eq!(wire.response().await.status(), 200);
        let forwarded = program.nth_event(nth, "request forwarded").await;
        assert_eq!(forwarded["tls"], word);
    }
    let log = program.stop().await;
    assert!(!log.contains("a known client"), "{log}");
}

async fn listed(admin: &str) -> serde_json::Value {
    let mut wire = Wire::connect(admin).await;
    wire.send(format!("GET /sessions HTTP/1.1\r\nHost: {admin}\r\n\r\n"))
        .await;
    wire.response().await.json()
}

#[tokio::test]
async fn a_certificate_that_is_shown_from_now_on_is_a_line_and_one_that_expires_soon_a_warning() {
    let (authority, upstream) = (Authority::new(), Upstream::start().await);
    let soon = authority.issue("a.test", Validity::For(DAY * 10 + DAY / 2));
    let late = authority.issue("b.test", Validity::For(DAY * 15));
    let tls = listen_tls(&authority, &[("a", &soon), ("b", &late)], "");
    let program = Program::run(&serving(upstream.url(), &tls, "")).await;
    let (shown, warning) = (
        "showing this certificate from now on",
        "a certificate expires soon",
    );
    for (nth, name) in ["a", "b"].into_iter().enumerate() {
        let line = program.nth_event(nth, shown).await;
        assert_eq!(line["names"], format!("{name}.test"));
        let file = authority.file_of(&format!("{name}.pem"));
        assert_eq!(line["file"], file.display().to_string());
        assert!(line["expires"].as_str().unwrap().ends_with('Z'), "{line}");
    }
    let line = program.event(warning).await;
    assert_eq!(
        (&line["names"], &line["days_left"]),
        (&"a.test".into(), &10.into())
    );

    let renewed = authority.issue("a.test", Validity::For(DAY * 90));
    authority.write_identity_as("a", &renewed);
    let line = program.nth_event(2, shown).await;
    assert_eq!(line["names"], "a.test");
    program.event("settings reloaded").await;
    assert_eq!(program.events(shown).len(), 3);
    assert_eq!(program.events(warning).len(), 1);
    program.stop().await;
}

/// What `wsgate check` says of settings, with further arguments: on standard output and on standard error.
async fn checked(authority: &Authority, settings: &str, more: &[&str]) -> (String, String) {
    let file = authority.file_of("wsgate.toml");
    std::fs::write(&file, settings).unwrap();
    let arguments = [&["check", file.to_str().unwrap()], more].concat();
    let done = finish(&arguments).await;
    assert_eq!(done.code, Some(0), "{done:?}");
    let folder = authority.file_of("");
    let folder = folder.to_str().unwrap();
    (
        done.stdout.replace(folder, "/"),
        done.stderr.replace(folder, "/"),
    )
}

#[tokio::test]
async fn check_shows_certificates_and_warns_of_what_clients_refuse() {
    let authority = Authority::new();
    let soon = authority.issue("a.test", Validity::For(DAY * 3 + DAY / 2));
    let over = authority.issue("*.b.test", Validity::Over);
    let more = format!(
        "min_version = \"1.3\"\nclient_auth = \"optional\"\nclient_ca = {:?}",
        authority.file()
    );
    let tls = listen_tls(&authority, &[("a", &soon), ("b", &over)], &more);
    std::fs::write(authority.file_of("a.pem"), soon.pem()).unwrap();
    let key = authority.file_of("b.key");
    std::fs::set_permissions(&key, Permissions::from_mode(0o644)).unwrap();
    let settings = serving("ws://127.0.0.1:1", &tls, "");
    let (summary, warnings) = checked(&authority, &settings, &[]).await;
    for line in [
        "tls     127.0.0.1:0, client certificates optional, TLS 1.3 only",
        "  /a.pem until 2",
        "  for        a.test",
        "  /b.pem until 2001-01-01T00:00:00Z",
        "  for        *.b.test",
    ] {
        assert!(summary.contains(line), "{line}\n{summary}");
    }
    for warning in [
        "the certificate /a.pem of 127.0.0.1:0 expires in 3 days, at 2",
        "/b.pem is a certificate that has expired",
        "/a.pem does not have the certificate of the issuer",
        "/b.key can be read by every user of this machine",
    ] {
        assert!(warnings.contains(warning), "{warning}\n{warnings}");
    }
    assert!(!warnings.contains("/a.key can be read"), "{warnings}");
    assert_eq!(warnings.matches("issuer").count(), 1, "{warnings}");
}

#[tokio::test]
async fn check_explains_which_certificate_a_client_gets() {
    let authority = Authority::new();
    let [first, second] = ["a.test", "*.b.test"].map(|name| authority.issue(name, Validity::Now));
    let tls = listen_tls(&authority, &[("a", &first), ("b", &second)], "");
    let settings = serving("ws://127.0.0.1:1", &tls, "");
    for (url, expected) in [
        (
            "wss://x.b.test/ws/",
            &["tls      127.0.0.1:0 shows /b.pem, until", "gets 421"][..],
        ),
        (
            "wss://c.test/ws/",
            &[
                "127.0.0.1:0 shows /a.pem",
                "for other hosts: clients refuse it",
            ],
        ),
        ("wss://127.0.0.1/ws/", &["127.0.0.1:0 shows /a.pem"]),
        ("ws://a.test/ws/", &["every listener speaks TLS"]),
    ] {
        let (text, _) = checked(&authority, &settings, &["--explain", url]).await;
        for line in expected {
            assert!(text.contains(line), "{line}\n{text}");
        }
    }
    // A page that came over plain HTTP is another origin.
    for (origin, answer) in [
        ("https://a.test", "answer   that of the upstream"),
        ("http://a.test", "answer   403 origin_denied"),
    ] {
        let more = ["--explain", "wss://a.test/ws/", "--origin", origin];
        let (text, _) = checked(&authority, &settings, &more).await;
        assert!(text.contains(answer), "{text}");
    }
    let plain = serving("ws://127.0.0.1:1", "", "");
    let (text, _) = checked(&authority, &plain, &["--explain", "wss://a.test/ws/"]).await;
    assert!(text.contains("no listener speaks TLS"), "{text}");
}

#[tokio::test]
async fn check_explains_which_certificate_will_be_ordered() {
    let authority = Authority::new();
    let file = authority.issue("c.test", Validity::Now);
    let tls = listen_tls(&authority, &[("c", &file)], "acme = \"le\"");
    let order = |names: &str| {
        format!(
            "[acme.le]\ndirectory = \"https://acme.test/\"\nnames = [{names}]\nstate_dir = {:?}\n",
            authority.file_of("state")
        )
    };
    let explained = async |names: &str, host: &str| {
        let settings = serving("ws://127.0.0.1:1", &tls, &order(names));
        let url = format!("wss://{host}/ws/");
        checked(&authority, &settings, &["--explain", &url]).await.0
    };
    let is_told = |text: String, expected: &str| {
        assert!(text.contains(expected), "{expected}\n{text}");
    };
    let both = "\"b.test\", \"c.test\"";
    let told = explained(both, "B.test").await;
    assert!(!told.contains("clients refuse it"), "{told}");
    is_told(told, "127.0.0.1:0 shows [acme.le], ordered at the start\n");
    is_told(explained(both, "c.test").await, "shows /c.pem, until");
    let other = explained("\"b.test\"", "d.test").await;
    is_told(other.clone(), "shows /c.pem, until");
    is_told(other, "for other hosts: clients refuse it");
    let stored = authority.issue("b.test", Validity::Now);
    let (cert, key) = authority.write_identity_as("b", &stored);
    let [cert, key] = [cert, key].map(|file| std::fs::read_to_string(file).unwrap());
    let folder = authority.file_of("state/le");
    std::fs::create_dir_all(&folder).unwrap();
    let written = format!("Directory: https://acme.test/\nProfile: \n{key}{cert}");
    std::fs::write(folder.join("certificate.pem"), written).unwrap();
    let told = explained("\"b.test\"", "b.test").await;
    is_told(told, "shows [acme.le], until 4096-01-01T00:00:00Z\n");
    let told = explained(both, "b.test").await;
    is_told(
        told,
        "[acme.le], by other settings, and ordered anew at the start\n",
    );
}

#[tokio::test]
async fn a_program_without_a_file_shows_the_certificate_of_its_arguments() {
    let (authority, echo) = (Authority::new(), Echo::start().await);
    let shown = authority.issue("127.0.0.1", Validity::Now);
    let (cert, key) = authority.write_identity_as("a", &shown);
    let (cert, key) = (cert.to_str().unwrap(), key.to_str().unwrap());
    let to = ["run", "--to", echo.url(), "--listen", "127.0.0.1:0"];
    let program = Program::serving(&[&to[..], &["--cert", cert, "--key", key]].concat()).await;
    let url = format!("wss://{}/", program.address);
    let told = url.clone();
    let told = program.line("the address", move |line| {
        line.contains(&told).then_some(())
    });
    told.await;
    let ca = authority.file();
    let done = finish(&[
        "probe",
        &url,
        "--echo",
        "hello",
        "--ca",
        ca.to_str().unwrap(),
    ])
    .await;
    assert_eq!(done.code, Some(0), "{done:?}");
    program.stop().await;
    // Neither stands without the other.
    let done = finish(&[&to[..], &["--cert", cert]].concat()).await;
    assert_eq!(done.code, Some(1), "{done:?}");
}
