//! What metrics there are: as `GET /metrics` tells it, and as the documents do.

use std::collections::{BTreeMap, BTreeSet};

use super::metrics::{ADMIN, fetch};
use crate::client_tls::listen_tls;
use crate::kit::token::{foreign_token, public_keys};
use crate::kit::{
    Authority, Echo, Program, Request, Socket, Upstream, Validity, Wire, answer, docs, settings,
};

/// The metrics by name.
pub(super) type Families = BTreeMap<String, Family>;

/// One metric.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Family {
    pub(super) kind: String,
    /// Without `le`, which every histogram has.
    pub(super) labels: BTreeSet<String>,
}

/// Reads the text format strictly: each family stands together, behind its help and its type.
pub(super) fn families(text: &str) -> Families {
    assert!(text.ends_with('\n'));
    let mut families = Families::new();
    let (mut helped, mut current) = ("", "");
    for line in text.lines() {
        if let Some(help) = line.strip_prefix("# HELP ") {
            helped = help.split(' ').next().unwrap();
        } else if let Some(typed) = line.strip_prefix("# TYPE ") {
            let (name, kind) = typed.split_once(' ').unwrap();
            assert_eq!(name, helped, "its HELP is right before it");
            assert_eq!(kind == "counter", name.ends_with("_total"), "{line}");
            let family = Family {
                kind: kind.to_owned(),
                labels: BTreeSet::new(),
            };
            let before = families.insert(name.to_owned(), family);
            assert!(before.is_none(), "{name} twice");
            current = name;
        } else {
            let family = families.get_mut(current).unwrap();
            let end = line.find(['{', ' ']).unwrap();
            let suffix = line[..end].strip_prefix(current);
            let suffix = suffix.expect("each family stands together");
            let labels = line[end..].split(['{', ',']).filter_map(|label| {
                let (label, _) = label.split_once("=\"")?;
                Some(label.to_owned())
            });
            let mut labels: BTreeSet<_> = labels.collect();
            match (&*family.kind, suffix) {
                ("histogram", "_bucket") => assert!(labels.remove("le"), "{line}"),
                ("histogram", "_sum" | "_count") | ("counter" | "gauge", "") => {}
                _ => panic!("{line} in a {}", family.kind),
            }
            let value = line.rsplit_once(' ').unwrap().1.parse::<f64>();
            assert!(value.is_ok_and(|value| value >= 0.0), "{line}");
            family.labels.extend(labels);
        }
    }
    families
}

/// The rows `| name | type | labels | meaning |` of the documents.
pub(super) fn listed() -> Families {
    let pages = docs::pages();
    let is_metric = |name: &str| name.starts_with("wsgate_") || name.starts_with("process_");
    let rows = docs::rows(&pages, is_metric).map(|cells| {
        let [name, kind, labels, _] = cells[..] else {
            panic!("{cells:?}");
        };
        let labels = labels.split('`').skip(1).step_by(2).map(str::to_owned);
        let family = Family {
            kind: kind.to_owned(),
            labels: labels.collect(),
        };
        (name.to_owned(), family)
    });
    rows.collect()
}

#[tokio::test]
async fn the_text_is_what_prometheus_reads_and_what_the_document_lists() {
    let (echo, authority) = (Echo::start().await, Authority::new());
    let shown = authority.issue("a.test", Validity::Now);
    let tls = listen_tls(&authority, &[("a", &shown)], "");
    let streams = "[upstream.streams]\nservers = [\"http://127.0.0.1:1\"]\nhttp = \"h2\"\n";
    // Nobody is there; counts and gauges are, all the same.
    let engine = "[shared]\nurl = \"redis://127.0.0.1:1\"\n";
    let provider = Upstream::start().await;
    let url = provider.url().replacen("ws://", "http://", 1);
    let issuer = format!(
        "[issuer.main]\nissuer = \"a\"\naudience = [\"a\"]\njwks = \"{url}/keys\"\n\
         [[route]]\nname = \"tokens\"\npath = \"/tokens\"\nupstream = \"chat\"\nauth.jwt = \"main\"\n"
    );
    let more = format!(
        "http = \"forward\"\n{ADMIN}{engine}{streams}[[listen]]\naddress = \"127.0.0.2:0\"\n{tls}{issuer}"
    );
    let program = Program::run(&settings(echo.url(), &more)).await;
    let admin = program.admin().await;
    // Its keys are fetched before the first client comes.
    let (mut keys, asked) = provider.request().await;
    assert_eq!(asked.target(), "/keys");
    keys.send(answer("200 OK", "", &public_keys())).await;
    // A token is looked at when they are there.
    let mut client = Wire::connect(&program.address).await;
    let bearer = format!("Bearer {}", foreign_token());
    let request = Request::websocket("/tokens").header("Authorization", &bearer);
    client.send(request.text()).await;
    assert_eq!(client.response().await.status(), 401);
    let socket = Socket::open(&program.address, "/ws/").await;
    socket.close().await;
    program.event("session closed").await;
    let answer = fetch(&admin).await;
    let head = &answer.head;
    assert_eq!(
        head.one("content-type"),
        "text/plain; version=0.0.4; charset=utf-8"
    );
    assert_eq!(head.one("cache-control"), "no-store");

    assert!(
        answer
            .text()
            .contains("wsgate_issuer_keys{issuer=\"main\"} 7\n")
    );
    let families = families(answer.text());
    assert!(families.values().all(|family| family.labels.len() < 5));
    assert_eq!(listed(), families);
    program.stop().await;
}
