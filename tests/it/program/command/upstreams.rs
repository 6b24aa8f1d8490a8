//! `wsgate upstreams`.

use super::super::kit::{Echo, Program, Socket, finish, settings};
use super::{ADMIN, json_lines, words};

#[tokio::test]
async fn a_server_is_shown_taken_out_of_service_and_put_back() {
    let (one, other) = (Echo::start().await, Echo::start().await);
    let both = format!("{}\", \"{}", one.url(), other.url());
    let program = Program::run(&settings(&both, ADMIN)).await;
    let admin = program.admin().await;
    let mut leaves = Socket::open(&program.address, "/ws/").await;
    let address = one.url().strip_prefix("ws://").unwrap();
    let run = async |line: &str| {
        let mut arguments: Vec<_> = line.split(' ').collect();
        arguments.extend(["--admin", &admin]);
        finish(&arguments).await
    };
    let done = async |line: &str| {
        let done = run(line).await;
        assert_eq!((done.code, &*done.stderr), (Some(0), ""), "{line}");
        done.stdout
    };
    let row = async |index: usize| {
        let table = done("upstreams").await;
        let row: Vec<_> = words(table.lines().nth(index).unwrap())
            .into_iter()
            .map(str::to_owned)
            .collect();
        row.join(" ")
    };
    let headings = "UPSTREAM SERVER STATE WEIGHT SESSIONS CONNECTING FAILED CONNECTS FAILED \
                    HANDSHAKES";
    assert_eq!(row(0).await, headings);
    assert_eq!(
        row(1).await,
        format!("chat {} in service 1 1 0 0 0", one.url())
    );
    assert_eq!(
        row(2).await,
        format!("chat {} in service 1 0 0 0 0", other.url())
    );

    let said = done(&format!("upstreams drain chat {address}")).await;
    let expected = format!("{address} gets no new sessions; 1 session open with it\n");
    assert_eq!(said, expected);
    assert_eq!(
        row(1).await,
        format!("chat {} draining 1 1 0 0 0", one.url())
    );
    leaves.echoes("not disturbed").await;
    let listed = json_lines(&done("upstreams --json").await);
    assert_eq!(listed.len(), 2);
    assert_eq!(listed[0]["draining"], true);
    assert_eq!(
        (&listed[1]["upstream"], &listed[1]["draining"]),
        (&"chat".into(), &false.into())
    );

    // By its URL, which has slashes in it.
    let said = done(&format!(
        "upstreams drain chat {} --close --over 0s",
        one.url()
    ))
    .await;
    assert!(
        said.contains("1 session open with it, 1 being closed\n"),
        "{said}"
    );
    leaves.closed().await;
    leaves.end().await;
    let answer = done("upstreams resume chat 0 --json").await;
    assert_eq!(json_lines(&answer)[0]["draining"], false);
    assert!(row(1).await.contains("in service"));
    assert_eq!(
        done(&format!("upstreams resume chat {address}")).await,
        format!("{address} gets new sessions again\n")
    );

    for (line, said) in [
        ("upstreams drain chat nowhere", ": there is ws://127.0.0.1:"),
        ("upstreams drain nobody 0", ": there is chat"),
        ("upstreams drain chat 0 --over 5s", "--close"),
        (
            "upstreams drain chat 0 --close --over soon",
            "a duration is a whole number",
        ),
        ("upstreams drain chat", "<SERVER>"),
        ("upstreams repair chat 0", "repair"),
    ] {
        let wrong = run(line).await;
        assert_eq!((wrong.code, &*wrong.stdout), (Some(1), ""), "{line}");
        assert!(wrong.stderr.contains(said), "{line}: {}", wrong.stderr);
    }
}
