//! Who the client is, in the log: only where the settings say so.

use wsgate::{ClientAddr, Config, Gate, Grant, Handshake, Rejection};

use crate::kit::{Bench, Logs, Request, Upstream, by_headers, known_as, setup, until};

const SHOWN: &str = "[log]\nsubject = true\n";

async fn bench(top: &str, upstream: &Upstream) -> Bench {
    let setup = setup([upstream.url()]).top(top);
    // The second policy refuses those whom the first one knows.
    let setup = setup.build(|builder| {
        let builder = builder.policy(by_headers);
        builder.policy(|handshake: &Handshake| {
            match handshake.headers().contains_key("x-refused") {
                true => Err(Rejection::AddressDenied),
                false => Ok(Grant::new()),
            }
        })
    });
    setup.start().await
}

/// A session that opens and closes, and a handshake that is refused.
async fn passes(bench: &Bench, upstream: &Upstream, subject: &str) {
    let (client, server) = bench.session_by(&known_as(subject), upstream).await;
    drop((client, server));
    until("the end", || bench.handle.open_sessions() == 0).await;
    let refused = known_as(subject).header("x-refused", "1");
    assert_eq!(bench.refused(&refused).await.0.status(), 403);
}

fn subjects(logs: &Logs) -> Vec<(String, String)> {
    let lines = logs.all().into_iter();
    lines
        .map(|line| (line.message.clone(), line.field("subject").to_owned()))
        .collect()
}

#[tokio::test]
async fn the_subject_is_logged_only_if_the_settings_say_so_and_a_reload_may_change_that() {
    let upstream = Upstream::start().await;
    let bench = bench("", &upstream).await;
    let logs = Logs::capture();
    passes(&bench, &upstream, "c4nary").await;
    assert_eq!(logs.all().len(), 3);
    assert!(!format!("{:?}", logs.all()).contains("c4nary"));

    let shown = setup([upstream.url()]).top(SHOWN).toml();
    bench
        .handle
        .reload(Config::from_toml("test", &shown).unwrap())
        .unwrap();
    let logs = Logs::capture();
    passes(&bench, &upstream, "alice").await;
    let (client, server) = bench.session_by(&Request::websocket("/"), &upstream).await;
    drop((client, server));
    until("the end", || bench.handle.open_sessions() == 0).await;
    let named = |message: &str, subject: &str| (message.to_owned(), subject.to_owned());
    let expected = [
        named("session open", "alice"),
        named("session closed", "alice"),
        named("handshake rejected", "alice"),
        named("session open", ""),
        named("session closed", ""),
    ];
    assert_eq!(subjects(&logs), expected);
}

#[tokio::test]
async fn a_forwarded_and_a_refused_plain_request_have_their_subject() {
    for (top, subject) in [("", ""), (SHOWN, "alice")] {
        let text = format!(
            "{top}[upstream.back]\nservers = [\"http://127.0.0.1:1\"]\n\
             [[route]]\nname = \"app\"\npath = \"/*\"\nupstream = \"back\"\nhttp = \"forward\"\n"
        );
        let config = Config::from_toml("gate.toml", &text).unwrap();
        let gate = Gate::builder(config).policy(by_headers).build().unwrap();
        let head = || {
            let request = http::Request::get("/a").header("host", "gate.test");
            let request = request.header("x-subject", "alice").body(()).unwrap();
            let (mut head, ()) = request.into_parts();
            head.extensions.insert(ClientAddr::Unix);
            head
        };
        let logs = Logs::capture();
        drop(gate.admit(head()).await.unwrap());
        let admitted = gate.admit(head()).await.unwrap();
        admitted.refuse(Rejection::Draining);
        let named = |message: &str| (message.to_owned(), subject.to_owned());
        let expected = [named("request forwarded"), named("request rejected")];
        assert_eq!(subjects(&logs), expected);
        assert_eq!(
            format!("{:?}", logs.all()).contains("alice"),
            !subject.is_empty()
        );
    }
}
