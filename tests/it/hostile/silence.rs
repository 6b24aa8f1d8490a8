//! Case R07: peers that answer nothing, or end one half of their connection.

use futures_util::future::join;

use super::pressure::{leaves, of};
use crate::kit::{Frame, Side, Stage, bits};

/// The lines of a route that pings one side.
fn pings(side: Side, interval: &str, timeout: &str) -> String {
    let (pinged, other) = match side {
        Side::Client => ("client", "upstream"),
        Side::Upstream => ("upstream", "client"),
    };
    format!(
        "[route.keepalive]\n{pinged} = {{ interval = \"{interval}\", timeout = \"{timeout}\" }}\n\
         {other} = {{ interval = \"0s\" }}"
    )
}

#[tokio::test]
async fn r07_a_peer_that_sends_data_in_place_of_pongs() {
    for side in [Side::Client, Side::Upstream] {
        let mut stage = Stage::set(&pings(side, "30ms", "30s")).await;
        let (mut client, mut server) = stage.session().await;
        let (talker, other) = of(side, &mut client, &mut server);
        let mut payloads = Vec::new();
        let mut heard = Vec::new();
        for word in [
            Frame::text("anything"),
            Frame::binary(""),
            Frame::ping("me?"),
            Frame::new(bits::TEXT, "begun"),
            Frame::new(bits::FIN | bits::CONTINUATION, "and ended"),
        ] {
            // There is a next ping only because the last one counts as answered.
            let ping = talker.frame().await;
            assert_eq!((ping.first, ping.payload.len()), (0x89, 8));
            payloads.push(ping.payload);
            talker.send_frame(&word).await;
            heard.push(word);
        }
        for word in heard {
            other.expect(word).await;
        }
        let count = payloads.len();
        payloads.sort();
        payloads.dedup();
        assert_eq!(payloads.len(), count, "each ping is another one");
        drop((client, server));
        leaves(stage).await;
    }
}

#[tokio::test]
async fn r07_pongs_that_answer_nothing_are_for_the_peer_across() {
    for side in [Side::Client, Side::Upstream] {
        let mut stage = Stage::set(&pings(side, "300ms", "30s")).await;
        let (mut client, mut server) = stage.session().await;
        let (liar, other) = of(side, &mut client, &mut server);
        let payload = liar.frame().await.payload;
        let right = Frame::pong(&payload[..]);
        let wrong = [
            Frame::pong(""),
            Frame::pong("wrong"),
            Frame::pong(&payload[..7]),
            Frame::pong([&payload[..], b"x"].concat()),
            Frame::pong(payload.repeat(15)),
        ];
        // The right one is ours, once.
        liar.send_frames(&[&wrong[..], &[right.clone(), right.clone()]].concat())
            .await;
        for frame in wrong {
            other.expect(frame).await;
        }
        other.expect(right).await;
        drop((client, server));
        leaves(stage).await;
    }
}

#[tokio::test]
async fn r07_a_peer_that_is_silent_is_closed_with_the_reason() {
    for side in [Side::Client, Side::Upstream] {
        let mut stage = Stage::set(&pings(side, "100ms", "200ms")).await;
        let (mut client, mut server) = stage.session().await;
        let (silent, other) = of(side, &mut client, &mut server);
        assert_eq!(silent.frame().await.first, bits::FIN | bits::PING);
        // What it is told is no sign of its life.
        other.send_frame(&Frame::text("are you there?")).await;
        silent.expect(Frame::text("are you there?")).await;
        let [to_client, to_upstream] = match side {
            Side::Client => ["ping timeout", ""],
            Side::Upstream => ["upstream ping timeout", "ping timeout"],
        };
        client.expect(Frame::close(1001, to_client)).await;
        server.expect(Frame::close(1001, to_upstream)).await;
        client.send_frame(&Frame::bare_close()).await;
        server.send_frame(&Frame::bare_close()).await;
        server.shut().await;
        client.expect_end().await;
        client.shut().await;
        server.expect_end().await;
        stage.ends("ping_timeout");
        stage.stands().await;
    }
}

/// More than the kernel keeps of it on one of its connections by default.
fn much() -> [Frame; 3] {
    let big = Frame::binary(vec![3; 8 << 20]);
    [Frame::text("before"), big, Frame::ping("behind")]
}

#[tokio::test]
async fn r07_a_client_that_ends_its_half_gets_what_is_still_said() {
    let mut stage = Stage::set("").await;
    let (mut client, mut server) = stage.session().await;
    client.send_frame(&Frame::text("the last")).await;
    client.shut().await;
    server.expect(Frame::text("the last")).await;
    server.expect(Frame::close(1001, "client lost")).await;
    Stage::passes(&mut server, &mut client, &much()).await;
    let close = Frame::close(1001, "likewise");
    server.send_frame(&close).await;
    server.shut().await;
    client.expect(close).await;
    client.expect_end().await;
    server.expect_end().await;
    stage.ends("client_lost");
    stage.stands().await;
}

#[tokio::test]
async fn r07_an_upstream_that_ends_its_half_behind_what_it_says() {
    let mut stage = Stage::set("").await;
    let (mut client, mut server) = stage.session().await;
    let bytes: Vec<u8> = much().iter().flat_map(Frame::plain).collect();
    let say = async {
        server.send(&bytes).await;
        server.shut().await;
    };
    let (_, heard) = join(say, client.take(bytes.len())).await;
    assert!(heard == bytes);
    client.expect(Frame::close(1011, "upstream lost")).await;
    client.send_frame(&Frame::close(1011, "")).await;
    client.expect_end().await;
    client.shut().await;
    server.expect_end().await;
    stage.ends("upstream_lost");
    stage.stands().await;
}
