//! Cases R01 and R02: connections that never come to a request.

use std::time::Duration;

use tokio::time::{Instant, interval};

use crate::kit::{Stage, Upstream, Wire};

/// The deadline of a request's head here; for the whole of it, and not for each byte.
const DEADLINE: Duration = Duration::from_millis(500);

async fn impatient() -> Stage {
    let upstream = Upstream::start().await;
    let pool = format!("servers = [\"{}\"]", upstream.url());
    let more = "[server]\nhandshake_timeout = \"500ms\"";
    Stage::set_with(upstream, &pool, "", more).await
}

#[tokio::test]
async fn r01_a_client_that_connects_and_sends_nothing() {
    let stage = impatient().await;
    let mut silent = Vec::new();
    for _ in 0..50 {
        silent.push(stage.client().await);
    }
    stage.serves_others().await;
    for client in &mut silent {
        // Nothing was asked, so that nothing is answered, and the log has better things to tell.
        assert_eq!(client.rest().await.unwrap(), b"");
    }
    stage.stands().await;
}

#[tokio::test]
async fn r01_a_client_that_connects_and_leaves_at_once() {
    let stage = impatient().await;
    for _ in 0..50 {
        drop(stage.client().await);
        let mut client = stage.client().await;
        client.shut().await;
        assert_eq!(client.rest().await.unwrap(), b"");
    }
    stage.stands().await;
}

#[tokio::test]
async fn r02_a_head_that_begins_and_stands_still() {
    let mut stage = impatient().await;
    let head = Stage::handshake().text();
    for sent in [1, 3, 10, head.len() / 2, head.len() - 1] {
        let mut client = stage.client().await;
        client.send(&head[..sent]).await;
        is_late(&mut client).await;
        stage.refuses("handshake_timeout");
    }
    stage.stands().await;
}

#[tokio::test]
async fn r02_a_head_that_drips_has_one_deadline_for_all_of_it() {
    let mut stage = impatient().await;
    // The gate's time begins when it accepts, which may be before this task goes on.
    let begun = Instant::now();
    let (mut client, mut dripping) = stage.client().await.split();
    let drip = async {
        let mut pace = interval(DEADLINE / 10);
        for byte in Stage::handshake().text().bytes() {
            pace.tick().await;
            if !dripping.try_send(&[byte]).await {
                break;
            }
        }
        // It has not come to the end of the head.
        std::future::pending::<()>().await;
    };
    tokio::select! {
        () = drip => {}
        () = is_late(&mut client) => {}
    }
    let took = begun.elapsed();
    assert!((DEADLINE..DEADLINE * 20).contains(&took), "{took:?}");
    drop((client, dripping));
    stage.refuses("handshake_timeout");
    stage.stands().await;
}

/// Checks that the client is told that it was too slow, and nothing else.
async fn is_late(client: &mut Wire) {
    let answer = client.head().await;
    assert_eq!(answer.status(), 408, "{answer:?}");
    assert_eq!(answer.one("connection"), "close");
    client.end().await;
}
