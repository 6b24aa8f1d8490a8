//! Many connections to the publish interface, and those who need it.

use tokio::time::timeout;

use super::super::kit::{ALL, AT_ONCE, Publisher, Wire};
use super::publishing;

const NOWHERE: &str = "ws://127.0.0.1:1";

#[tokio::test]
async fn thousands_of_strangers_keep_no_publisher_out() {
    let program = publishing(NOWHERE).await;
    let address = program.publish().await;
    let mut first = Publisher::at(&address, ALL).await;
    first.publish("/channels/a", "x").await;
    let said = [
        "",
        "POST /channels/a HTTP/1.1\r\n",
        "GET /healthz HTTP/1.1\r\nHost: a\r\n\r\n",
        "POST /channels/a HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\n",
        "POST /channels/a HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer wrong\r\nContent-Length: 1\r\n\r\nx",
    ];
    let mut strangers = Vec::new();
    for number in 0..2000 {
        let mut wire = Wire::connect(&address).await;
        wire.try_send(said[number % said.len()]).await;
        strangers.push(wire);
        if number % 250 == 0 {
            let published = timeout(AT_ONCE, async {
                let mut publisher = Publisher::at(&address, ALL).await;
                publisher.publish("/channels/a", "x").await
            });
            published.await.expect("an answer at once");
        }
    }
    // Nor does one that was there before lose its connection to them.
    first.publish("/channels/a", "x").await;
    program.stop().await;
}

#[tokio::test]
async fn publishers_keep_their_connections_and_the_one_that_waited_longest_goes_for_one_too_many() {
    let program = publishing(NOWHERE).await;
    let address = program.publish().await;
    let mut publishers = Vec::new();
    for _ in 0..1000 {
        let mut publisher = Publisher::at(&address, ALL).await;
        publisher.publish("/channels/a", "x").await;
        publishers.push(publisher);
    }
    publishers[0].wire.expect_end().await;
    // Half of the 1,024 places are for strangers and probes.
    for publisher in publishers.iter_mut().rev().take(256) {
        publisher.publish("/channels/a", "x").await;
    }
    let mut probe = Wire::connect(&address).await;
    probe.send("GET /healthz HTTP/1.1\r\nHost: a\r\n\r\n").await;
    assert_eq!(probe.response().await.status(), 200);
    program.stop().await;
}
