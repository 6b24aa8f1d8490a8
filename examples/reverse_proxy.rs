//! A small reverse proxy on hyper 1.x with the gate in it: WebSockets under `/ws/` go through the
//! gate, and every other request goes to the same backend by hyper-util's client.
//!
//! ```sh
//! cargo run --example echo_upstream &
//! cargo run --example reverse_proxy           # or: -- 127.0.0.1:8080 ws://127.0.0.1:9001
//! ```

use std::convert::Infallible;
use std::error::Error;
use std::time::Duration;

use http_body_util::{Either, Full};
use hyper::body::{Bytes, Incoming};
use hyper::header::{CONNECTION, HOST, HeaderName, HeaderValue, TE, TRANSFER_ENCODING, UPGRADE};
use hyper::server::conn::http1;
use hyper::service::{Service, service_fn};
use hyper::{HeaderMap, Request, Response, StatusCode, Uri};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::net::TcpListener;
use tokio_util::task::TaskTracker;
use tower::Layer;
use wsgate::{ClientAddr, Config, Gate};

const SETTINGS: &str = r#"
    [upstream.backend]
    servers = ["BACKEND"]

    [[route]]
    name = "backend"
    path = "/ws/*"
    upstream = "backend"

    [route.limits]
    message_size = "64KiB"
"#;

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let listen = arguments.next().unwrap_or("127.0.0.1:8080".to_owned());
    let backend = arguments.next().unwrap_or("ws://127.0.0.1:9001".to_owned());
    let config = Config::from_toml("reverse_proxy", &SETTINGS.replace("BACKEND", &backend))?;
    let gate = Gate::builder(config).build()?;

    // What the proxy did before the gate came: plain requests go to the backend.
    let forward = Forward::to(&backend)?;
    let forward = tower::service_fn(move |request| forward.clone().send(request));
    // The gate takes the WebSockets out before them.
    let service = TowerToHyperService::new(gate.layer().layer(forward));

    let listener = TcpListener::bind(listen).await?;
    println!(
        "http://{}/ is the backend's, WebSockets under /ws/ go through the gate",
        listener.local_addr()?
    );
    let connections = TaskTracker::new();
    loop {
        let (stream, peer) = tokio::select! {
            accepted = listener.accept() => accepted?,
            _ = tokio::signal::ctrl_c() => break,
        };
        let service = service.clone();
        connections.spawn(async move {
            let service = service_fn(move |mut request: Request<Incoming>| {
                // The gate needs to know where a request came from.
                request.extensions_mut().insert(ClientAddr::from(peer));
                service.call(request)
            });
            let connection = http1::Builder::new()
                .timer(TokioTimer::new())
                .serve_connection(TokioIo::new(stream), service)
                .with_upgrades();
            if let Err(error) = connection.await {
                eprintln!("{peer}: {error}");
            }
        });
    }

    // Hyper does not see upgraded connections any more; the gate does.
    let drained = gate.handle().drain(Duration::from_secs(10)).await;
    println!("{} sessions closed, {} cut", drained.closed, drained.cut);
    Ok(())
}

/// Sends plain requests to one backend.
#[derive(Clone)]
struct Forward {
    client: Client<HttpConnector, Incoming>,
    authority: String,
}

type Answer = Response<Either<Incoming, Full<Bytes>>>;

impl Forward {
    fn to(backend: &str) -> Result<Self, Box<dyn Error>> {
        let backend: Uri = backend.parse()?;
        let authority = backend.authority().ok_or("the backend has no host")?;
        Ok(Self {
            client: Client::builder(TokioExecutor::new()).build_http(),
            authority: authority.to_string(),
        })
    }

    async fn send(self, mut request: Request<Incoming>) -> Result<Answer, Infallible> {
        let path = request
            .uri()
            .path_and_query()
            .map_or("/", |path| path.as_str());
        let Ok(target) = format!("http://{}{path}", self.authority).parse() else {
            return Ok(status(StatusCode::BAD_REQUEST));
        };
        *request.uri_mut() = target;
        // hyper-util's client names the backend itself.
        request.headers_mut().remove(HOST);
        end_hop(request.headers_mut());
        match self.client.request(request).await {
            Ok(mut response) => {
                end_hop(response.headers_mut());
                Ok(response.map(Either::Left))
            }
            Err(error) => {
                eprintln!("{}: {error}", self.authority);
                Ok(status(StatusCode::BAD_GATEWAY))
            }
        }
    }
}

/// Takes out the headers that end at each hop (RFC 9110 §7.6.1).
fn end_hop(headers: &mut HeaderMap) {
    let names = |value: &HeaderValue| {
        let names = value.to_str().unwrap_or_default().split(',');
        let names = names.filter_map(|name| name.trim().parse::<HeaderName>().ok());
        names.collect::<Vec<_>>()
    };
    let nominated: Vec<_> = headers.get_all(CONNECTION).iter().flat_map(names).collect();
    for name in nominated
        .iter()
        .chain(&[CONNECTION, TE, TRANSFER_ENCODING, UPGRADE])
    {
        headers.remove(name);
    }
}

fn status(status: StatusCode) -> Answer {
    let mut response = Response::new(Either::Right(Full::default()));
    *response.status_mut() = status;
    response
}
