//! Validated text and message filters.

use super::*;
use crate::types::Body;

#[tokio::test(start_paused = true)]
async fn text_that_is_not_utf8_never_reaches_the_other_side() {
    let validating = || {
        let mut setup = setup();
        setup.route.validate_utf8 = true;
        setup
    };
    expect_refusal(validating(), &masked(0x81, b"ab\xC0\xAF"), 1007).await;
    let cut = [masked(0x01, b"ok"), masked(0x80, b"\xE2\x82")].concat();
    expect_refusal(validating(), &cut, 1007).await;
    let mut bench = validating().begin();
    let good = [
        masked(0x01, b"\xE2\x82"),
        masked(0x80, b"\xAC"),
        masked(0x82, b"\xFF\xFF"),
    ]
    .concat();
    bench.client.write_all(&good).await.unwrap();
    expect(&mut bench.upstream, &good).await;
}

#[tokio::test(start_paused = true)]
async fn a_filter_sees_changes_discards_and_closes() {
    let filter = |message: Message| match message.text() {
        Some("discard") => Verdict::Discard,
        Some("close") => Verdict::Close(CloseCode::new(4400).unwrap(), "no".into()),
        Some("shout") => Verdict::Forward(Message {
            body: Body::Text("SHOUT".into()),
            ..message
        }),
        _ => Verdict::Forward(message),
    };
    let mut setup = setup();
    setup.filter = Some(Box::new(filter));
    let mut bench = setup.begin();
    for frame in [
        masked(0x81, b"discard"),
        masked(0x01, b"sh"),
        masked(0x80, b"out"),
        masked(0x82, b"raw"),
        masked(0x81, b"close"),
        masked(0x81, b"late"),
    ] {
        bench.client.write_all(&frame).await.unwrap();
    }
    assert_eq!(
        expect_masked(&mut bench.upstream).await,
        (0x81, b"SHOUT".to_vec())
    );
    assert_eq!(
        expect_masked(&mut bench.upstream).await,
        (0x82, b"raw".to_vec())
    );
    assert_eq!(
        expect_masked(&mut bench.upstream).await,
        (0x88, close(1001, ""))
    );
    expect(&mut bench.client, &server(0x88, &close(4400, "no"))).await;
}

#[tokio::test(start_paused = true)]
async fn a_sender_that_takes_no_answers_of_a_filter_is_not_read() {
    let mut setup = setup();
    setup.pipes.0 = 4096;
    setup.filter = Some(Box::new(|message: Message| {
        let answer = Message {
            from: message.from.other(),
            body: Body::from(Bytes::from_static(&[7; 1024])),
        };
        Verdict::Send(vec![answer])
    }));
    let mut bench = setup.begin();
    let message = masked(0x82, &[9; 100]);
    let mut sent = 0;
    while timeout(SECOND, bench.client.write_all(&message))
        .await
        .is_ok()
    {
        sent += 1;
        assert!(sent < 1000, "it goes on reading");
    }
    for _ in 0..sent {
        expect(&mut bench.client, &server(0x82, &[7; 1024])).await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_filter_that_panics_ends_its_session_with_1011() {
    let mut setup = setup();
    setup.filter = Some(Box::new(|_: Message| -> Verdict {
        panic!("a bug in the filter")
    }));
    let mut bench = setup.begin();
    bench.upstream.write_all(&server(0x81, b"x")).await.unwrap();
    expect(
        &mut bench.client,
        &server(0x88, &close(1011, "internal error")),
    )
    .await;
}
