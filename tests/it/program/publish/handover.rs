//! The next process takes the publish interface over.

use super::super::kit::{ALL, Echo, PUBLISH, Publisher, Socket};
use super::super::restart::start_at;
use super::channels;

#[tokio::test]
async fn a_publisher_goes_on_with_the_next_process() {
    let echo = Echo::start().await;
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("handover");
    // A session stays until it has answered its close frame.
    let drain = "[drain]\nspread = \"0s\"\ndeadline = \"1h\"\n";
    let text = channels(echo.url(), &format!("{PUBLISH}{drain}"));
    let text = text.replace("channels.join", "timeouts.close = \"1h\"\nchannels.join");
    let program = start_at(&path, folder.path(), 0, &text).await;
    let (address, publish) = (program.address.clone(), program.publish().await);
    let mut old = Socket::open(&address, "/ws/1").await;
    let mut publisher = Publisher::at(&publish, ALL).await;
    assert_eq!(publisher.publish("/channels/all", "one").await, 1);
    assert_eq!(old.next().await, "one".into());

    let text = text.replacen("127.0.0.1:0", &address, 1);
    let text = text.replacen("127.0.0.1:0", &publish, 1);
    let mut next = start_at(&path, folder.path(), 1, &text).await;
    program.event("draining").await;
    // Its connection ends behind its last answer, and the next one is the next process's.
    publisher.wire.expect_end().await;
    let mut new = Socket::open(&address, "/ws/1").await;
    let mut publisher = Publisher::at(&publish, ALL).await;
    assert_eq!(publisher.publish("/channels/all", "two").await, 1);
    assert_eq!(new.next().await, "two".into());
    assert_eq!(old.closed().await.0, 1001);
    old.end().await;
    drop((new, program));
    next.signal(rustix::process::Signal::TERM);
    assert_eq!(next.ended().await.0, Some(0));
}
