//! What the program says of TLS with clients.

use std::time::{Duration, SystemTime};

use tokio_rustls::rustls::version::{TLS12, TLS13};

use super::metrics::{ADMIN, ONE_WORKER, scrape, steps};
use crate::client_tls::{listen_tls, serving};
use crate::kit::{Authority, BOTH, Program, TlsPeer, Upstream, Validity, Wire, docs};

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
    let renewed = authority.issue("a.test", Validity::For(DAY * 90));
    authority.write_identity_as("a", &renewed);
    program.event("settings reloaded").await;
    assert_eq!(days_left().await, [90.0, 20.0]);
    program.stop().await;
}
