use std::future::poll_fn;

use bytes::Bytes;
use futures_util::FutureExt;
use http_body_util::{Empty, Full, StreamBody};

use super::*;

const SECOND: Duration = Duration::from_secs(1);

#[tokio::test(start_paused = true)]
async fn a_server_has_its_time_to_answer_from_when_the_request_could_be_sent() {
    let (_upload, progress) = upload(Empty::<Bytes>::new());
    tokio::time::advance(3 * SECOND).await;
    progress.restart();
    let began = Instant::now();
    assert_eq!(
        progress.overdue(5 * SECOND).await,
        Rejection::UpstreamTimeout
    );
    assert_eq!(began.elapsed(), 5 * SECOND);
}

#[tokio::test(start_paused = true)]
async fn a_server_that_takes_no_body_is_late_too() {
    let (mut upload, progress) = upload(Full::new(Bytes::from_static(b"body")));
    tokio::time::advance(SECOND).await;
    next(&mut upload).await.unwrap().unwrap();
    let began = Instant::now();
    assert_eq!(
        progress.overdue(5 * SECOND).await,
        Rejection::UpstreamTimeout
    );
    assert_eq!(began.elapsed(), 5 * SECOND);
}

#[tokio::test(start_paused = true)]
async fn a_client_that_pauses_is_waited_for_longer_and_is_then_at_fault() {
    let (mut upload, progress) = upload(StreamBody::new(futures_util::stream::pending::<
        Result<Frame<Bytes>, std::io::Error>,
    >()));
    let began = Instant::now();
    let rejection = tokio::select! {
        rejection = progress.overdue(5 * SECOND) => rejection,
        _ = next(&mut upload) => panic!("nothing comes"),
    };
    assert_eq!(rejection, Rejection::BodyTimeout);
    assert_eq!(began.elapsed(), CLIENT_PAUSE);
}

#[tokio::test(start_paused = true)]
async fn the_end_of_a_long_upload_starts_the_servers_time() {
    let (upload, progress) = upload(Full::new(Bytes::from_static(b"body")));
    progress.move_to(Stage::Receiving);
    let began = Instant::now();
    let upload_ends = async {
        tokio::time::sleep(20 * SECOND).await;
        drop(upload);
        std::future::pending::<()>().await;
    };
    tokio::select! {
        rejection = progress.overdue(5 * SECOND) => {
            assert_eq!(rejection, Rejection::UpstreamTimeout);
        }
        () = upload_ends => {}
    }
    assert_eq!(began.elapsed(), 25 * SECOND);
}

#[tokio::test]
async fn a_body_that_breaks_stays_broken() {
    let error = Err::<Frame<Bytes>, _>(std::io::Error::other("gone"));
    let (mut upload, progress) = upload(StreamBody::new(futures_util::stream::iter([error])));
    assert!(!progress.is_broken());
    assert!(next(&mut upload).await.unwrap().is_err());
    drop(upload);
    assert!(progress.is_broken());
}

fn upload<B: Body>(body: B) -> (Upload<B>, Arc<Progress>) {
    Source::new(body).upload(false)
}

#[tokio::test(start_paused = true)]
async fn an_expected_body_is_held_back_until_the_server_wants_it_or_says_nothing() {
    for wanted in [true, false] {
        let source = Source::new(Full::new(Bytes::from_static(b"body")));
        let (mut upload, progress) = source.upload(true);
        let began = Instant::now();
        let asked = async {
            assert!(!source.is_begun() && progress.is_held());
            if wanted {
                tokio::time::sleep(CONTINUE_TIMEOUT / 10).await;
                progress.release();
            }
            std::future::pending::<()>().await;
        };
        tokio::select! {
            frame = next(&mut upload) => drop(frame.unwrap().unwrap()),
            () = asked => {}
        }
        let expected = if wanted {
            CONTINUE_TIMEOUT / 10
        } else {
            CONTINUE_TIMEOUT
        };
        assert_eq!(began.elapsed(), expected);
        assert!(source.is_begun() && !progress.is_held());
    }
}

#[tokio::test(start_paused = true)]
async fn a_body_that_was_answered_without_is_never_asked_for() {
    let source = Source::new(Full::new(Bytes::from_static(b"body")));
    let (mut upload, progress) = source.upload(true);
    let asked = tokio::time::timeout(CONTINUE_TIMEOUT / 2, next(&mut upload)).await;
    assert!(asked.is_err() && progress.refuse_held());
    let asked = tokio::time::timeout(CONTINUE_TIMEOUT, next(&mut upload)).await;
    assert!(asked.is_err() && progress.is_held() && !source.is_begun());
}

#[tokio::test]
async fn a_body_is_whole_until_something_of_it_is_taken() {
    let pending = futures_util::stream::pending::<Result<Frame<Bytes>, std::io::Error>>();
    let source = Source::new(StreamBody::new(pending));
    let (mut upload, _) = source.upload(false);
    assert!(next(&mut upload).now_or_never().is_none());
    assert!(source.is_whole() && source.is_begun());

    let source = Source::new(Full::new(Bytes::from_static(b"body")));
    let (mut upload, _) = source.upload(false);
    next(&mut upload).await.unwrap().unwrap();
    assert!(!source.is_whole());
}

async fn next<B: Body + Unpin>(body: &mut Upload<B>) -> Option<Result<Frame<B::Data>, B::Error>> {
    poll_fn(|cx| Pin::new(&mut *body).poll_frame(cx)).await
}
