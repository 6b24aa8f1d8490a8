//! Case O07 once more: those who hold the connections that the admin interface has.

use std::time::Duration;

use tokio::time::timeout;

use super::admin::drains;
use super::kit::Stage;
use crate::program::kit::Wire;

/// Whoever holds all places of the admin interface keeps no client from its session.
#[tokio::test]
async fn o07_thousands_of_idle_connections_to_it_cost_nobody_else_anything() {
    let stage = Stage::set("").await;
    let admin = stage.program.admin().await;
    let mut idle = Vec::new();
    for number in 0..2000 {
        let mut wire = Wire::connect(&admin).await;
        // Some say nothing at all, and some begin.
        if number % 2 == 0 {
            wire.try_send("GET /healthz HTTP/1.1\r\n").await;
        }
        idle.push(wire);
        if number % 500 == 0 {
            stage.serves_others().await;
        }
    }
    stage.serves_others().await;
    // The last of them was not let in at all.
    let last = idle.pop().map(|mut wire| async move { wire.end().await });
    let ended = timeout(Duration::from_secs(1), last.expect("a connection"));
    assert_eq!(ended.await.expect("an end at once"), b"");
    drop(idle);
    // Those that are gone leave their places.
    crate::support::soon("an answer", async { while drains(&admin).await {} }).await;
    stage.stands().await;
}
