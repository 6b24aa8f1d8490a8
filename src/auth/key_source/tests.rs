use std::collections::VecDeque;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use http::StatusCode;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio::sync::Semaphore;
use tokio::time::{Instant, sleep};

use super::fetch::{FetchError, Fetched, Fetching};
use super::*;

/// A server whose next answers are decided by the test; the last one is repeated.
struct Server {
    answers: Mutex<VecDeque<Answer>>,
    asked: AtomicUsize,
    /// A fetch ends when it gets one of these.
    permits: Semaphore,
}

#[derive(Clone, Copy)]
enum Answer {
    Keys(&'static str, Option<u64>),
    Failure,
}

impl Server {
    fn new(answers: &[Answer]) -> (Arc<Self>, KeySource) {
        let server = Arc::new(Self {
            answers: Mutex::new(answers.iter().copied().collect()),
            asked: AtomicUsize::new(0),
            permits: Semaphore::new(1000),
        });
        let fetch: Arc<dyn Fetch> = Arc::clone(&server) as _;
        (server, KeySource::with("https://id.test/keys", fetch))
    }

    fn asked(&self) -> usize {
        self.asked.load(Ordering::Relaxed)
    }

    fn answer(&self, answer: Answer) {
        *self.answers.lock().unwrap() = VecDeque::from([answer]);
    }
}

impl Fetch for Server {
    fn fetch(&self) -> Fetching<'_> {
        Box::pin(async {
            self.asked.fetch_add(1, Ordering::Relaxed);
            self.permits.acquire().await.unwrap().forget();
            let answer = {
                let mut answers = self.answers.lock().unwrap();
                match answers.len() {
                    1 => answers[0],
                    _ => answers.pop_front().unwrap(),
                }
            };
            match answer {
                Answer::Keys(secret, max_age) => Ok(Fetched {
                    keys: KeySet::of_secret(secret.as_bytes()).unwrap(),
                    max_age: max_age.map(Duration::from_secs),
                }),
                Answer::Failure => Err(FetchError::Status(StatusCode::BAD_GATEWAY)),
            }
        })
    }
}

fn keys(secret: &str) -> KeySet {
    KeySet::of_secret(secret.as_bytes()).unwrap()
}

fn seconds(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

#[tokio::test(start_paused = true)]
async fn the_keys_are_fetched_once_and_then_when_they_have_aged() {
    let (server, source) = Server::new(&[Answer::Keys("a", Some(1000)), Answer::Keys("b", None)]);
    assert_eq!(source.current(), Err(KeysUnavailable));
    let (one, other) = tokio::join!(source.keys(), source.keys());
    assert_eq!(*one.unwrap(), keys("a"));
    assert_eq!(*other.unwrap(), keys("a"));
    sleep(seconds(799)).await;
    assert_eq!(server.asked(), 1);
    sleep(seconds(152)).await;
    assert_eq!(server.asked(), 2);
    assert_eq!(*source.current().unwrap(), keys("b"));
    let info = source.info();
    assert_eq!((info.succeeded, info.failed, info.keys), (2, 0, 1));
    assert!(info.age.unwrap() <= seconds(151), "{info:?}");
    sleep(seconds(60 * 60)).await;
    assert!(
        (6..=8).contains(&(server.asked() - 2)),
        "{}",
        server.asked()
    );
}

#[tokio::test(start_paused = true)]
async fn a_source_fetches_from_its_start_on_and_ends_with_its_last_clone() {
    let (server, source) = Server::new(&[Answer::Keys("a", None)]);
    source.start();
    let clone = source.clone();
    drop(source);
    sleep(seconds(601)).await;
    assert_eq!(server.asked(), 2);
    drop(clone);
    sleep(seconds(60 * 60)).await;
    assert_eq!(server.asked(), 2);
    assert_eq!(Arc::strong_count(&server), 1);
}

#[test]
fn a_source_goes_on_after_its_runtime_has_ended() {
    let (server, source) = Server::new(&[Answer::Keys("a", None)]);
    source.start();
    assert_eq!(server.asked(), 0);
    for asked in [1, 2] {
        let runtime = tokio::runtime::Builder::new_current_thread();
        let runtime = { runtime }.enable_time().start_paused(true).build();
        runtime.unwrap().block_on(async {
            source.start();
            sleep(seconds(1)).await;
        });
        assert_eq!(server.asked(), asked);
        assert!(source.current().is_ok());
    }
}

#[tokio::test(start_paused = true)]
async fn without_keys_a_handshake_waits_for_the_fetch_and_then_for_none() {
    let (server, source) = Server::new(&[Answer::Failure]);
    server.permits.forget_permits(1000);
    let started = Instant::now();
    assert_eq!(source.keys().await, Err(KeysUnavailable));
    assert_eq!(started.elapsed(), fetch::TIMEOUT);
    let (unavailable, ()) = tokio::join!(source.keys(), async {
        sleep(seconds(1)).await;
        server.permits.add_permits(1);
    });
    assert_eq!(unavailable, Err(KeysUnavailable));
    assert_eq!(started.elapsed(), fetch::TIMEOUT + seconds(1));

    // The next fetch is 4 to 5 seconds away.
    server.permits.add_permits(1000);
    let started = Instant::now();
    assert_eq!(source.keys().await, Err(KeysUnavailable));
    assert_eq!(started.elapsed(), Duration::ZERO);
    server.answer(Answer::Keys("a", None));
    sleep(seconds(5)).await;
    assert_eq!(server.asked(), 2);
    assert_eq!(*source.keys().await.unwrap(), keys("a"));
}

#[tokio::test(start_paused = true)]
async fn retries_come_later_and_later_while_the_server_fails() {
    let (server, source) = Server::new(&[Answer::Failure]);
    source.start();
    // 5, 10, 20, 40, 80, 160 and then 300 seconds, or a fifth less.
    sleep(seconds(316)).await;
    assert!((7..=8).contains(&server.asked()), "{}", server.asked());
    let before = server.asked();
    sleep(seconds(3000)).await;
    assert!((10..=13).contains(&(server.asked() - before)));
    assert_eq!(source.info().failed, server.asked() as u64);
}

#[tokio::test(start_paused = true)]
async fn keys_stay_in_use_for_a_day_while_the_server_fails() {
    let (server, source) = Server::new(&[Answer::Keys("a", None), Answer::Failure]);
    let first = source.keys().await.unwrap();
    sleep(seconds(24 * 60 * 60)).await;
    assert!(Arc::ptr_eq(&source.current().unwrap(), &first));
    sleep(seconds(1)).await;
    assert_eq!(source.current(), Err(KeysUnavailable));
    assert_eq!(source.keys().await, Err(KeysUnavailable));
    assert_eq!((source.info().keys, source.info().age), (0, None));
    server.answer(Answer::Keys("a", None));
    sleep(seconds(300)).await;
    assert_eq!(*source.current().unwrap(), keys("a"));
}

#[tokio::test(start_paused = true)]
async fn a_wish_for_newer_keys_leads_to_one_fetch_that_all_wait_for() {
    let (server, source) = Server::new(&[Answer::Keys("a", None), Answer::Keys("b", None)]);
    let seen = source.keys().await.unwrap();
    server.permits.forget_permits(1000);
    let wishes = async { tokio::join!(source.renewed_after(&seen), source.renewed_after(&seen)) };
    let late = async {
        sleep(seconds(1)).await;
        source.renewed_after(&seen).await
    };
    let answer = async {
        sleep(seconds(2)).await;
        server.permits.add_permits(1000);
    };
    let ((one, other), late, ()) = tokio::join!(wishes, late, answer);
    for renewed in [one, other, late] {
        assert_eq!(*renewed.unwrap().unwrap(), keys("b"));
    }
    assert_eq!(server.asked(), 2);
    // Whoever has older keys than those that are there needs no fetch.
    assert_eq!(
        *source.renewed_after(&seen).await.unwrap().unwrap(),
        keys("b")
    );
    assert_eq!(server.asked(), 2);
}

#[tokio::test(start_paused = true)]
async fn so_many_wait_for_a_fetch_and_nobody_else() {
    let (server, source) = Server::new(&[Answer::Keys("a", None)]);
    server.permits.forget_permits(1000);
    let began = Instant::now();
    let many = futures_util::future::join_all((0..WAITING).map(|_| source.keys()));
    let one_more = async {
        while source.0.waiting.available_permits() > 0 {
            tokio::task::yield_now().await;
        }
        let refused = source.keys().await;
        server.permits.add_permits(1000);
        (refused, began.elapsed())
    };
    let (many, one_more) = tokio::join!(many, one_more);
    assert_eq!(one_more, (Err(KeysUnavailable), Duration::ZERO));
    assert!(many.iter().all(Result::is_ok));

    server.permits.forget_permits(1000);
    let seen = source.current().unwrap();
    let held = source.0.waiting.try_acquire_many(WAITING as u32).unwrap();
    assert_eq!(source.renewed_after(&seen).await, Err(KeysUnavailable));
    drop(held);
    assert_eq!(began.elapsed(), Duration::ZERO);
}

#[tokio::test(start_paused = true)]
async fn keys_that_are_the_same_are_no_newer_ones() {
    let (server, source) = Server::new(&[Answer::Keys("a", None)]);
    let seen = source.keys().await.unwrap();
    assert_eq!(source.renewed_after(&seen).await, Ok(None));
    assert_eq!(server.asked(), 2);
    assert!(Arc::ptr_eq(&source.current().unwrap(), &seen));
}

#[tokio::test(start_paused = true)]
async fn random_tokens_cause_one_fetch_in_a_pause_and_delay_new_keys_by_no_more() {
    let (server, source) = Server::new(&[Answer::Keys("a", Some(24 * 60 * 60))]);
    let seen = source.keys().await.unwrap();
    let started = Instant::now();
    assert_eq!(source.renewed_after(&seen).await, Ok(None));
    let wished = server.asked();
    while started.elapsed() < seconds(299) {
        sleep(Duration::from_millis(100)).await;
        let asked = Instant::now();
        assert_eq!(source.renewed_after(&seen).await, Ok(None));
        assert_eq!(asked.elapsed(), Duration::ZERO);
    }
    assert_eq!(server.asked() - wished, 9);

    // The wish is kept: nobody has to ask again.
    server.answer(Answer::Keys("b", None));
    sleep(seconds(2)).await;
    assert_eq!(*source.current().unwrap(), keys("b"));
    let asked = server.asked();
    sleep(seconds(60)).await;
    assert_eq!(server.asked(), asked);
}

#[tokio::test(start_paused = true)]
async fn the_keys_are_renewed_in_time_whatever_tokens_come() {
    let (server, source) = Server::new(&[Answer::Keys("a", None), Answer::Failure]);
    let seen = source.keys().await.unwrap();
    for _ in 0..100 {
        sleep(seconds(1)).await;
        let _refused = source.renewed_after(&seen).await;
    }
    // The first wish failed, and the retries of the background come between the pauses of wishes.
    let asked = server.asked();
    assert!((8..=10).contains(&asked), "{asked}");
    assert!(Arc::ptr_eq(&source.current().unwrap(), &seen));
}

#[tokio::test]
async fn keys_come_over_a_socket_and_redirects_are_not_followed() {
    let set = r#"{"keys":[{"kty":"OKP","crv":"Ed25519","kid":"1","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}]}"#;
    let long = format!("{{\"keys\":[],\"x\":\"{}\"}}", "x".repeat(256 * 1024));
    for (line, body, expected) in [
        ("200 OK", set, Ok(1)),
        ("302 Found\r\nlocation: /keys", set, Err("302")),
        ("404 Not Found", set, Err("404")),
        ("200 OK", "{}", Err("cannot be used")),
        ("200 OK", &long, Err("no answer: the answer is longer")),
    ] {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let url = format!("http://{address}/keys?canary").parse().unwrap();
        let fetch = HttpFetch::new(url, None);
        let serve = async {
            let mut stream = listener.accept().await.unwrap().0;
            let mut head = Vec::new();
            while !head.ends_with(b"\r\n\r\n") {
                head.push(stream.read_u8().await.unwrap());
            }
            let length = body.len();
            let answer = format!("HTTP/1.1 {line}\r\ncontent-length: {length}\r\n\r\n{body}");
            // The client may be gone.
            let _ = stream.write_all(answer.as_bytes()).await;
            String::from_utf8(head).unwrap()
        };
        let (fetched, head) = tokio::join!(fetch.fetch(), serve);
        assert!(head.starts_with("GET /keys?canary HTTP/1.1\r\n"), "{head}");
        assert!(head.contains("accept: application/json\r\n"), "{head}");
        let error = match fetched {
            Ok(fetched) => {
                assert_eq!(Ok(fetched.keys.len()), expected);
                continue;
            }
            Err(error) => crate::error_report::ErrorReport(&error).to_string(),
        };
        assert!(error.contains(expected.unwrap_err()), "{error}");
        assert!(!error.contains("canary"), "{error}");
    }
}

#[tokio::test]
async fn other_machines_are_asked_over_tls_only() {
    let url: Uri = "http://id.test/keys?canary".parse().unwrap();
    let error = HttpFetch::new(url.clone(), None).fetch().await;
    let error = crate::error_report::ErrorReport(&error.unwrap_err()).to_string();
    assert!(
        error.contains("id.test is to be asked over https://"),
        "{error}"
    );
    let source = format!("{:?}", KeySource::new(url, None));
    assert_eq!(source, r#"KeySource("http://id.test/keys")"#);
}
