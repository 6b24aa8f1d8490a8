//! The keys of an issuer come from its server, and are renewed.

use std::time::{SystemTime, UNIX_EPOCH};

use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair};
use data_encoding::BASE64URL_NOPAD;
use serde_json::{Value, json};
use wsgate::Config;

use crate::kit::{Bench, Frame, Logs, Request, Setup, Upstream, Wire, answer, setup, switching};

/// Who signs tokens with one key.
struct Signer {
    id: &'static str,
    pair: Ed25519KeyPair,
}

impl Signer {
    fn new(id: &'static str) -> Self {
        let pair = Ed25519KeyPair::generate().unwrap();
        Self { id, pair }
    }

    fn key(&self) -> Value {
        let public = BASE64URL_NOPAD.encode(self.pair.public_key().as_ref());
        json!({ "kty": "OKP", "crv": "Ed25519", "kid": self.id, "x": public })
    }

    /// A client that shows a token of this key.
    fn client(&self) -> Request {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
        let header = json!({ "alg": "EdDSA", "kid": self.id });
        let claims = json!({ "iss": "tests", "aud": "chat", "exp": now.as_secs() + 600 });
        let encode = |part: &Value| BASE64URL_NOPAD.encode(part.to_string().as_bytes());
        let text = format!("{}.{}", encode(&header), encode(&claims));
        let signature = self.pair.sign(text.as_bytes());
        let signature = BASE64URL_NOPAD.encode(signature.as_ref());
        let token = format!("Bearer {text}.{signature}");
        Request::websocket("/").header("Authorization", &token)
    }
}

/// A gate that takes the tokens of an issuer whose keys `provider` has.
fn trusting(upstream: &Upstream, provider: &Upstream) -> Setup {
    let url = provider.url().replacen("ws://", "http://", 1);
    let issuer = format!(
        "[issuer.main]\nissuer = \"tests\"\naudience = [\"chat\"]\nalgorithms = [\"EdDSA\"]\n\
         jwks = \"{url}/keys?c4nary=1\"\n"
    );
    setup([upstream.url()])
        .top(&issuer)
        .route("auth.jwt = \"main\"")
}

/// Answers the next fetch with these keys.
async fn publish(provider: &Upstream, signers: &[&Signer]) {
    let keys: Vec<_> = signers.iter().map(|signer| signer.key()).collect();
    let (mut wire, head) = provider.request().await;
    assert_eq!(head.target(), "/keys?c4nary=1");
    let mut names = head.names();
    names.sort_unstable();
    assert_eq!(names, ["accept", "connection", "host"]);
    assert_eq!(head.one("accept"), "application/json");
    let body = json!({ "keys": keys }).to_string();
    wire.send(answer("200 OK", "", &body)).await;
}

/// The session of a client that was let in.
async fn let_in(mut client: Wire, upstream: &Upstream) {
    let (mut backend, head) = upstream.request().await;
    assert!(!head.names().contains(&"authorization"), "{head:?}");
    backend.send(switching(&head, "")).await;
    assert_eq!(client.head().await.status(), 101);
    client.send_frames(&[Frame::text("in")]).await;
    backend.expect(Frame::text("in")).await;
}

/// A gate that does not wait for the first request to fetch the keys.
async fn fetching(setup: Setup) -> Bench {
    let bench = setup.start().await;
    bench.handle.fetch_keys();
    bench
}

async fn started(upstream: &Upstream, provider: &Upstream, signers: &[&Signer]) -> Bench {
    let bench = fetching(trusting(upstream, provider)).await;
    publish(provider, signers).await;
    bench
}

#[tokio::test]
async fn the_keys_are_fetched_before_anybody_comes_and_whoever_comes_early_waits() {
    let (upstream, provider) = (Upstream::start().await, Upstream::start().await);
    let one = Signer::new("1");
    let bench = fetching(trusting(&upstream, &provider)).await;
    let client = bench.ask(&one.client()).await;
    assert!(upstream.untouched());
    publish(&provider, &[&one]).await;
    let_in(client, &upstream).await;
    let client = bench.ask(&one.client()).await;
    let_in(client, &upstream).await;
    assert!(provider.untouched());
}

#[tokio::test]
async fn a_new_key_is_fetched_when_its_first_token_comes_and_random_tokens_fetch_nothing_more() {
    let (upstream, provider) = (Upstream::start().await, Upstream::start().await);
    let [one, two, three] = ["1", "2", "3"].map(Signer::new);
    let bench = started(&upstream, &provider, &[&one]).await;
    let_in(bench.ask(&one.client()).await, &upstream).await;
    let mut clients = [
        bench.ask(&two.client()).await,
        bench.ask(&two.client()).await,
    ];
    publish(&provider, &[&one, &two]).await;
    // They come in their own order.
    let mut backends = Vec::new();
    for _ in &clients {
        backends.push(upstream.session().await);
    }
    for client in &mut clients {
        assert_eq!(client.head().await.status(), 101);
    }
    let logs = Logs::capture();
    for _ in 0..20 {
        let (head, _) = bench.refused(&three.client()).await;
        assert_eq!(head.status(), 401);
    }
    for line in logs.of("wsgate::rejection") {
        assert_eq!(line.field("reason"), "token_key");
    }
    assert!(provider.untouched());
}

#[tokio::test]
async fn another_key_of_the_same_name_is_fetched_too() {
    let (upstream, provider) = (Upstream::start().await, Upstream::start().await);
    let (old, new) = (Signer::new("1"), Signer::new("1"));
    let bench = started(&upstream, &provider, &[&old]).await;
    let_in(bench.ask(&old.client()).await, &upstream).await;
    let client = bench.ask(&new.client()).await;
    publish(&provider, &[&new]).await;
    let_in(client, &upstream).await;
    let (head, _) = bench.refused(&old.client()).await;
    assert_eq!(head.status(), 401);
}

#[tokio::test]
async fn without_keys_tokens_are_not_accepted_and_everything_else_is_served() {
    let (upstream, provider) = (Upstream::start().await, Upstream::start().await);
    let open = "[[route]]\nname = \"open\"\npath = \"/open\"\nupstream = \"back\"\n";
    let logs = Logs::capture();
    let bench = fetching(trusting(&upstream, &provider).top(open)).await;
    let (mut wire, _) = provider.request().await;
    let client = Signer::new("1").client();
    let mut waiting = bench.ask(&client).await;
    let open = bench.ask(&Request::websocket("/open")).await;
    let_in(open, &upstream).await;
    wire.send(answer("302 Found", "Location: /elsewhere\r\n", ""))
        .await;
    let (head, body) = waiting.response().await.parts();
    assert_eq!(head.status(), 503);
    assert_eq!(body, "logins cannot be checked at the moment\n");
    let (head, _) = bench.refused(&client).await;
    assert_eq!(head.status(), 503);
    let lines = logs.all();
    let about = lines.iter().filter(|line| line.names().contains(&"url"));
    let [line] = &about.collect::<Vec<_>>()[..] else {
        panic!("{lines:?}");
    };
    assert_eq!(line.field("reason"), "keys_failed");
    assert!(line.field("error").contains("302"), "{line:?}");
    assert!(!format!("{lines:?}").contains("c4nary"));
}

#[tokio::test]
async fn a_reload_keeps_the_keys_of_a_url() {
    let (upstream, provider) = (Upstream::start().await, Upstream::start().await);
    let one = Signer::new("1");
    let bench = started(&upstream, &provider, &[&one]).await;
    let_in(bench.ask(&one.client()).await, &upstream).await;
    let changed = trusting(&upstream, &provider).route("timeouts.idle = \"1h\"");
    let changed = Config::from_toml("test", &changed.toml()).unwrap();
    bench.handle.reload(changed).unwrap();
    let_in(bench.ask(&one.client()).await, &upstream).await;
    assert!(provider.untouched());
}
