//! `wsgate probe` over TLS: what it shows of the server, and what it says where there is no TLS.

use serde_json::Value;

use super::super::kit::{Authority, Echo, Finished, Terminator, Upstream, Validity, finish};

async fn probe(url: &str, more: &[&str]) -> Finished {
    finish(&[&["probe", url], more].concat()).await
}

fn rows(finished: &Finished) -> Vec<(&str, &str)> {
    let lines = finished.stdout.lines();
    let row = |line: &'_ str| line.len().min(13);
    lines
        .map(|line| line.split_at(row(line)))
        .map(|(name, value)| (name.trim_end(), value))
        .collect()
}

fn row<'f>(finished: &'f Finished, name: &str) -> &'f str {
    let rows = rows(finished);
    let found = rows.iter().find(|(found, _)| *found == name);
    found.unwrap_or_else(|| panic!("{name}: {finished:?}")).1
}

#[tokio::test]
async fn what_the_server_shows_is_told_beside_what_was_agreed() {
    let (authority, echo) = (Authority::new(), Echo::start().await);
    let shown = authority.issue("localhost", Validity::Now);
    let server = Terminator::start(shown, echo.url(), None).await;
    let ca = authority.file();
    let trusting = ["--ca", ca.to_str().unwrap()];
    let url = server.url("localhost");
    let fine = probe(&url, &[&trusting[..], &["--echo", "hi"]].concat()).await;
    assert_eq!((fine.code, &*fine.stderr), (Some(0), ""), "{fine:?}");
    let names: Vec<_> = rows(&fine).iter().map(|(name, _)| *name).collect();
    let expected = [
        "url",
        "connect",
        "tls",
        "alpn",
        "certificate",
        "issuer",
        "expires",
        "handshake",
        "subprotocol",
        "extensions",
        "ping",
        "echo",
        "close",
    ];
    assert_eq!(names, expected);
    let agreed = row(&fine, "tls");
    assert!(
        agreed.starts_with("TLSv1_3, TLS13_AES_256_GCM_SHA384, "),
        "{agreed}"
    );
    assert!(agreed.ends_with("ms"), "{agreed}");
    assert_eq!(row(&fine, "alpn"), "none");
    assert_eq!(row(&fine, "certificate"), "localhost");
    assert!(row(&fine, "issuer").contains("CN=an authority of tests"));
    // As rcgen has it by default.
    assert!(row(&fine, "expires").starts_with("4096-01-01T00:00:00Z, in "));

    let fine = probe(&url, &[&trusting[..], &["--json"]].concat()).await;
    let report: Value = serde_json::from_str(&fine.stdout).unwrap();
    for (key, expected) in [
        ("tls", "TLSv1_3".into()),
        ("tls_cipher", "TLS13_AES_256_GCM_SHA384".into()),
        ("alpn", Value::Null),
        ("certificate_names", ["localhost"].into_iter().collect()),
        ("certificate_expires", "4096-01-01T00:00:00Z".into()),
        ("client_certificate", Value::Null),
    ] {
        assert_eq!(report[key], expected, "{key}");
    }
    assert!(report["tls_ms"].as_f64().is_some(), "{report}");
    assert!(report["certificate_issuer"].is_string(), "{report}");
}

#[tokio::test]
async fn each_fault_has_its_words_and_what_to_do() {
    let (authority, stranger) = (Authority::new(), Authority::new());
    let echo = Echo::start().await;
    let ca = authority.file();
    let trusting = ["--ca", ca.to_str().unwrap()];
    for (issuer, name, validity, more, said, help) in [
        (
            &authority,
            "elsewhere.test",
            Validity::Now,
            &trusting[..],
            "the certificate is for another name",
            "--server-name NAME",
        ),
        (
            &authority,
            "localhost",
            Validity::Over,
            &trusting,
            "the certificate has expired",
            "renew",
        ),
        (
            &authority,
            "localhost",
            Validity::NotYet,
            &trusting,
            "the certificate is not valid yet",
            "clocks",
        ),
        (
            &stranger,
            "localhost",
            Validity::Now,
            &trusting,
            "from an authority that is not trusted",
            "--ca FILE",
        ),
        // Without a file those of the system count, which know nothing of this one.
        (
            &authority,
            "localhost",
            Validity::Now,
            &[],
            "from an authority that is not trusted",
            "--ca FILE",
        ),
    ] {
        let shown = issuer.issue(name, validity);
        let server = Terminator::start(shown, echo.url(), None).await;
        let url = server.url("localhost");
        let failed = probe(&url, &[more, &["--timeout", "20s"]].concat()).await;
        assert_eq!(failed.code, Some(2), "{failed:?}");
        let error = format!(
            "error: TLS with localhost:{} failed: ",
            server.address.port()
        );
        assert!(failed.stderr.starts_with(&error), "{failed:?}");
        let (error, advice) = failed.stderr.split_once("\nhelp: ").unwrap();
        assert!(error.contains(said), "{failed:?}");
        assert!(advice.contains(help), "{failed:?}");
        // The certificate is shown though it is wrong.
        assert_eq!(row(&failed, "certificate"), name);
        assert!(!failed.stdout.contains("handshake"), "{failed:?}");
        let json = probe(&url, &[more, &["--json"]].concat()).await;
        let report: Value = serde_json::from_str(&json.stdout).unwrap();
        assert_eq!(report["outcome"], "unreachable");
        assert_eq!(report["certificate_names"][0], name);
        assert_eq!(report["tls"], Value::Null);
    }
}

#[tokio::test]
async fn another_name_may_be_expected_and_is_asked_for() {
    let (authority, echo) = (Authority::new(), Echo::start().await);
    let shown = authority.issue("chat.internal", Validity::Now);
    let server = Terminator::start(shown, echo.url(), None).await;
    let (ca, url) = (authority.file(), server.url("127.0.0.1"));
    let trusting = ["--ca", ca.to_str().unwrap()];
    let named = probe(
        &url,
        &[&trusting[..], &["--server-name", "chat.internal"]].concat(),
    )
    .await;
    assert_eq!(named.code, Some(0), "{named:?}");
    let other = probe(
        &url,
        &[&trusting[..], &["--server-name", "chat.test"]].concat(),
    )
    .await;
    assert_eq!(other.code, Some(2), "{other:?}");
}

#[tokio::test]
async fn a_server_that_asks_for_a_certificate_gets_the_one_that_there_is() {
    let (authority, echo) = (Authority::new(), Echo::start().await);
    let shown = authority.issue("localhost", Validity::Now);
    let server = Terminator::start(shown, echo.url(), Some(&authority)).await;
    let ours = authority.issue("probe", Validity::Now);
    let (cert, key) = authority.write_identity(&ours);
    let (ca, url) = (authority.file(), server.url("localhost"));
    let [ca, cert, key] = [&ca, &cert, &key].map(|path| path.to_str().unwrap());
    let fine = probe(&url, &["--ca", ca, "--cert", cert, "--key", key]).await;
    assert_eq!(fine.code, Some(0), "{fine:?}");
    assert_eq!(row(&fine, "client cert"), "asked for, shown");
    assert_eq!(server.shown(), [Some(ours.certificate().clone())]);

    let without = probe(&url, &["--ca", ca]).await;
    assert_eq!(row(&without, "client cert"), "asked for, none shown");
    assert_eq!(without.code, Some(2), "{without:?}");
    let said = "the server asks for a certificate, and the probe has none";
    assert!(without.stderr.contains(said), "{without:?}");
    assert!(
        without
            .stderr
            .contains("help: use --cert FILE and --key FILE"),
        "{without:?}"
    );
}

#[tokio::test]
async fn a_server_without_tls_and_a_silent_one_are_told_apart() {
    let plain = Upstream::start().await;
    let url = plain.url().replace("ws://", "wss://");
    let speaks = async {
        let mut wire = plain.accept().await;
        wire.send("SSH-2.0-OpenSSH_9.9\r\n").await;
        wire
    };
    let (failed, _wire) = tokio::join!(probe(&url, &[]), speaks);
    assert_eq!(failed.code, Some(2), "{failed:?}");
    assert!(
        failed.stderr.contains("the server does not speak TLS"),
        "{failed:?}"
    );
    assert!(failed.stderr.contains("help: use ws://"), "{failed:?}");

    let (hung_up, ()) = tokio::join!(probe(&url, &[]), async { drop(plain.accept().await) });
    assert_eq!(hung_up.code, Some(2), "{hung_up:?}");
    let said = "the server ended the connection in the handshake";
    assert!(hung_up.stderr.contains(said), "{hung_up:?}");

    let (silent, _wire) = tokio::join!(probe(&url, &["--timeout", "1s"]), plain.accept());
    assert_eq!(silent.code, Some(6), "{silent:?}");
    let said = "while waiting for the handshake of TLS";
    assert!(silent.stderr.contains(said), "{silent:?}");
}

#[tokio::test]
async fn options_of_tls_are_not_passed_over() {
    let authority = Authority::new();
    let (one, other) = (
        authority.issue("one", Validity::Now),
        authority.issue("other", Validity::Now),
    );
    let (cert, _) = authority.write_identity(&one);
    let cert = cert.to_str().unwrap().to_owned();
    let written = std::fs::read(&cert).unwrap();
    let (_, key) = authority.write_identity(&other);
    let (key, ca) = (key.to_str().unwrap(), authority.file());
    std::fs::write(&cert, written).unwrap();
    let ca = ca.to_str().unwrap();
    for (arguments, said) in [
        (
            &["ws://a.test", "--ca", ca][..],
            "--ca is for URLs that begin with wss://",
        ),
        (
            &["ws://a.test", "--server-name", "b.test"],
            "--server-name is for URLs that begin with wss://",
        ),
        (&["wss://a.test", "--cert", &cert], "--key <FILE>"),
        (&["wss://a.test", "--key", key], "--cert <FILE>"),
        (
            &["wss://a.test", "--cert", &cert, "--key", key],
            "the certificate and the key cannot be used together",
        ),
        (
            &["wss://a.test", "--cert", key, "--key", key],
            "holds no certificate",
        ),
        (
            &["wss://a.test", "--cert", &cert, "--key", &cert],
            "holds no private key",
        ),
        (
            &["wss://a.test", "--server-name", "b.test:443"],
            "neither a host name nor an address",
        ),
    ] {
        let wrong = finish(&[&["probe"], arguments].concat()).await;
        assert_eq!((wrong.code, &*wrong.stdout), (Some(1), ""), "{wrong:?}");
        assert!(wrong.stderr.contains(said), "{said}: {wrong:?}");
    }
}
