//! Requests of a publisher: which channel they are about, what they publish, and how many lines a batch has.

use std::convert::Infallible;
use std::sync::{Arc, LazyLock};

use axum::body::{Body, Bytes};
use futures_util::{FutureExt, stream};
use http::{Request, header};
use http_body_util::BodyExt;
use serde_json::Value;
use tokio::runtime::Builder;
use tokio_util::sync::CancellationToken;

use super::Ways;
use crate::Gate;
use crate::config::{Config, ListenAddress};
use crate::server::PublishService;

/// A line for the path and query, one each for `Content-Type` and `Idempotency-Key` (an empty line is none), and the
/// rest is the body.
///
/// Ways: 0 it is a batch, whose path is fixed, 1 and 2 the length of the pieces in which it comes.
pub fn publish_request(data: &[u8]) {
    let Some((ways, said)) = Ways::split(data) else {
        return;
    };
    let mut lines = said.splitn(4, |byte| *byte == b'\n');
    let [target, kind, key, body] = [0; 4].map(|_| lines.next().unwrap_or_default());
    let target = match ways.has(0) {
        true => "/publish",
        false => std::str::from_utf8(target).unwrap_or_default(),
    };
    let mut request = Request::post(target).header(header::AUTHORIZATION, "Bearer t0ken");
    for (name, value) in [("content-type", kind), ("idempotency-key", key)] {
        if !value.is_empty() {
            request = request.header(name, value);
        }
    }
    let length = [1, 2, 7, 1000][ways.two(1)];
    let pieces: Vec<_> = body.chunks(length).map(Bytes::copy_from_slice).collect();
    let pieces = stream::iter(pieces.into_iter().map(Ok::<_, Infallible>));
    let Ok(request) = request.body(Body::from_stream(pieces)) else {
        return;
    };
    let (status, answer) = answer(request);
    check_channels();
    let is_known = matches!(status, 200 | 400 | 401 | 403 | 404 | 405 | 413 | 415 | 421);
    assert!(is_known, "{status}");
    match (ways.has(0), status) {
        (true, 200) => check_batch(body, &answer),
        (_, 401) => assert_eq!(target, "", "it has the token"),
        _ => check_line(status, &answer),
    }
}

/// A gate that retains what is published to the channels of its route, and a token for some of them.
static GATE: LazyLock<Gate> = LazyLock::new(|| {
    let config = Config::from_toml("publish.toml", SETTINGS).unwrap();
    Gate::builder(config).build().unwrap()
});

const SETTINGS: &str = r#"
    [publish]
    address = "127.0.0.1:9901"
    tokens = [{ name = "a", token = "t0ken", channels = ["user.*", "room.1"] }]
    message_size = "64B"
    [upstream.a]
    servers = ["ws://127.0.0.1:1"]
    [[route]]
    name = "a"
    path = "/{a}/{b}"
    upstream = "a"
    channels.join = ["{path.a}", "user.{path.a}", "room.{path.a}", "user.{path.a}.{path.b}"]
    channels.retain = 1
"#;

fn answer(request: Request<Body>) -> (u16, String) {
    let settings = GATE.handle().config().publish.clone();
    let publish = PublishService::new(GATE.handle(), Arc::default(), 8);
    publish.apply(settings.as_ref());
    let address = ListenAddress::Tcp("127.0.0.1:9901".parse().unwrap());
    let service = publish.service().at(&address, CancellationToken::new());
    let runtime = Builder::new_current_thread().enable_time().build().unwrap();
    runtime.block_on(async {
        let response = service.respond(request).await;
        let status = response.status().as_u16();
        let body = response.into_body().collect().await.unwrap().to_bytes();
        (status, String::from_utf8(body.to_vec()).unwrap())
    })
}

/// Nothing is published beside what the token takes.
fn check_channels() {
    let handle = GATE.handle();
    for channel in handle.channels(|_| true) {
        let name = &channel.name;
        let user = name.strip_prefix("user.");
        let is_taken = user.is_some_and(|user| !user.contains('.')) || &**name == "room.1";
        assert!(is_taken, "{name}");
        // Without an engine it is done at once.
        let forgotten = handle.forget_retained(name).now_or_never();
        assert!(forgotten.is_some());
    }
}

/// A batch has a line for each line.
fn check_batch(body: &[u8], answer: &str) {
    let lines = body.split(|byte| *byte == b'\n');
    let lines = lines.filter(|line| !line.trim_ascii().is_empty()).count();
    let answered: Vec<_> = answer.lines().collect();
    assert_eq!(answered.len(), lines.min(1001), "{answer}");
    for line in answered {
        let value: Value = serde_json::from_str(line).unwrap();
        let status = value["status"].as_u64().unwrap_or(200);
        check_line(u16::try_from(status).unwrap(), line);
    }
}

/// One that is published has reached nobody here, and one that is not has a sentence of ours.
fn check_line(status: u16, answer: &str) {
    let value: Value = serde_json::from_str(answer).unwrap();
    match status {
        200 => assert_eq!(value["reached"], 0, "{answer}"),
        _ => {
            let error = value["error"].as_str().unwrap();
            let is_sentence = (1..300).contains(&error.len());
            assert!(is_sentence && !error.contains(char::is_control), "{error}");
        }
    }
}
