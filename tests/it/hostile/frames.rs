//! Cases F: frames that break RFC 6455.

use super::kit::Stage;
use crate::support::{Frame, bits};

#[tokio::test]
async fn f01_an_unmasked_client_frame() {
    let mut stage = Stage::set("").await;
    let (mut client, mut server) = stage.session().await;
    client.send(Frame::text("c4nary").plain()).await;
    client.expect_close(1002).await;
    server.expect_close(1001).await;
    drop(server);
    client.gone().await;
    stage.ends("unmasked");
    stage.stands().await;
}
