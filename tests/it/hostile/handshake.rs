//! Cases H01 to H21: handshakes that are none, or that hide something.

use super::kit::Stage;

#[tokio::test]
async fn h01_the_key_is_missing_or_empty() {
    let mut stage = Stage::set("").await;
    let right = Stage::handshake();
    for (what, request) in [
        ("missing", right.clone().without("Sec-WebSocket-Key")),
        ("empty", right.clone().with("Sec-WebSocket-Key", "")),
    ] {
        stage
            .refused(what, request.text(), 400, "ws_key_missing")
            .await;
    }
    stage.stands().await;
}
