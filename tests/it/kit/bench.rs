//! A gate in a real server.

use std::convert::Infallible;
use std::error::Error;
use std::net::SocketAddr;

use http::Extensions;
use http_body_util::Full;
use hyper::body::{Body, Bytes, Incoming};
use hyper::server::conn::http1;
use hyper::service::{Service, service_fn};
use hyper::{Request, Response};
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::io::{AsyncRead, AsyncWrite, BufStream};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use tower::Layer;
use wsgate::{Builder, ClientAddr, Config, Gate, Handle};

use super::{Head, Request as Text, Socket, Upstream, Wire};

/// A server on a port of its own, with a gate in it. It ends when this is dropped.
pub(crate) struct Bench {
    pub(crate) address: SocketAddr,
    /// `None` where the test has let go of it.
    pub(crate) gate: Option<Gate>,
    pub(crate) handle: Handle,
    _tasks: JoinSet<()>,
}

/// How the gate is put into the server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Host {
    /// `Gate::layer` around a tower service that answers `host`.
    Layer,
    /// `Gate::layer` around a hyper service that answers `host`.
    HyperLayer,
    /// `Gate::service`, as a tower service.
    Service,
    /// `Gate::service`, as a hyper service.
    HyperService,
    /// The same on streams that the gate does not know, and that hold back what is not flushed.
    Buffered,
    /// `Gate::layer` around an axum application.
    Axum,
    /// No server of the test's own, but the program.
    Program,
}

/// What a bench is made of: the settings, and how the gate is served.
pub(crate) struct Setup {
    servers: Vec<String>,
    top: String,
    upstream: String,
    route: String,
    host: Host,
    says: Says,
    build: Box<dyn FnOnce(Builder) -> Builder>,
}

/// What the host says of a request from this peer, in the request's extensions.
type Says = fn(SocketAddr, &mut Extensions);

/// A gate with one route `test`, for everything, to an upstream `back` with these servers.
pub(crate) fn setup<'a>(urls: impl IntoIterator<Item = &'a str>) -> Setup {
    let server = |url| format!("{{ url = {url:?} }}");
    Setup {
        servers: urls.into_iter().map(server).collect(),
        top: String::new(),
        upstream: String::new(),
        route: String::new(),
        host: Host::Layer,
        says: say_the_peer,
        build: Box::new(|builder| builder),
    }
}

impl Setup {
    /// Tables that belong to no route.
    pub(crate) fn top(mut self, toml: &str) -> Self {
        self.top.push_str(toml);
        self
    }

    /// Keys of the upstream.
    pub(crate) fn upstream(mut self, toml: &str) -> Self {
        self.upstream.push_str(toml);
        self.upstream.push('\n');
        self
    }

    /// Keys of the route, each with its whole path: `limits.message_size = "1KiB"`.
    pub(crate) fn route(mut self, toml: &str) -> Self {
        self.route.push_str(toml);
        self.route.push('\n');
        self
    }

    /// Gives one more server a weight.
    pub(crate) fn weighted(mut self, url: &str, weight: u32) -> Self {
        let server = format!("{{ url = {url:?}, weight = {weight} }}");
        self.servers.push(server);
        self
    }

    pub(crate) fn host(mut self, host: Host) -> Self {
        self.host = host;
        self
    }

    /// A host that says something else of its requests, or nothing.
    pub(crate) fn says(mut self, says: Says) -> Self {
        self.says = says;
        self
    }

    pub(crate) fn build(mut self, build: impl FnOnce(Builder) -> Builder + 'static) -> Self {
        self.build = Box::new(build);
        self
    }

    /// What the file would say.
    pub(crate) fn toml(&self) -> String {
        let path = match self.route.contains("path = ") {
            true => "",
            false => "path = \"/*\"",
        };
        // Who has nothing to do with pings sees none, however long it takes.
        let silent = match self.route.contains("keepalive") {
            true => "",
            false => "keepalive = { client.interval = \"0s\", upstream.interval = \"0s\" }",
        };
        let Self {
            servers,
            top,
            upstream,
            route,
            ..
        } = self;
        format!(
            "{top}\n[upstream.back]\nservers = [{}]\n{upstream}\n\
             [[route]]\nname = \"test\"\n{path}\nupstream = \"back\"\n{silent}\n{route}",
            servers.join(", ")
        )
    }

    pub(crate) async fn start(self) -> Bench {
        let config = Config::from_toml("test", &self.toml())
            .unwrap_or_else(|errors| panic!("{errors}\n{}", self.toml()));
        let gate = (self.build)(Gate::builder(config)).build().expect("a gate");
        Bench::of(gate, self.host, self.says).await
    }
}

impl Bench {
    /// A server with these settings, in such a host.
    pub(crate) async fn serving(host: Host, settings: &str) -> Self {
        let config = Config::from_toml("test", settings);
        let config = config.unwrap_or_else(|errors| panic!("{errors}\n{settings}"));
        let gate = Gate::builder(config).build().expect("a gate");
        Self::of(gate, host, say_the_peer).await
    }

    async fn of(gate: Gate, host: Host, says: Says) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("an address");
        let mut tasks = JoinSet::new();
        match host {
            Host::Layer => {
                let service = gate.layer().layer(tower::service_fn(page));
                let service = TowerToHyperService::new(service);
                tasks.spawn(serve(listener, bare, service, says))
            }
            Host::HyperLayer => {
                let service = gate.layer().layer(service_fn(page));
                tasks.spawn(serve(listener, bare, service, says))
            }
            Host::Service => {
                let service = TowerToHyperService::new(gate.service());
                tasks.spawn(serve(listener, bare, service, says))
            }
            Host::HyperService => tasks.spawn(serve(listener, bare, gate.service(), says)),
            Host::Buffered => {
                let service = gate.service();
                tasks.spawn(serve(listener, BufStream::new, service, says))
            }
            Host::Axum => {
                let application = axum::Router::new().fallback(async || "host");
                let service = TowerToHyperService::new(application.layer(gate.layer()));
                tasks.spawn(serve(listener, bare, service, says))
            }
            Host::Program => panic!("the program is no host"),
        };
        Self {
            address,
            handle: gate.handle(),
            gate: Some(gate),
            _tasks: tasks,
        }
    }

    pub(crate) async fn connect(&self) -> Wire {
        Wire::connect(self.address).await
    }

    /// Sends a request on a connection of its own.
    pub(crate) async fn ask(&self, request: &Text) -> Wire {
        let mut wire = self.connect().await;
        wire.send(request.text()).await;
        wire
    }

    /// Sends a request on a connection of its own, and reads the answer, which has to be the last
    /// on it.
    pub(crate) async fn refused(&self, request: &Text) -> (Head, String) {
        let mut wire = self.ask(request).await;
        let (head, body) = wire.response().await.parts();
        wire.expect_end().await;
        (head, body)
    }

    /// A session between two raw peers: the client and the upstream.
    pub(crate) async fn session(&self, upstream: &Upstream) -> (Wire, Wire) {
        self.session_by(&Text::websocket("/"), upstream).await
    }

    /// A session that this request opens.
    pub(crate) async fn session_by(&self, request: &Text, upstream: &Upstream) -> (Wire, Wire) {
        let mut client = self.ask(request).await;
        let upstream = upstream.session().await;
        let head = client.head().await;
        assert_eq!(head.status(), 101, "{head:#?}");
        (client, upstream)
    }

    /// A real client's session.
    pub(crate) async fn open(&self) -> Socket {
        self.try_open().await.expect("a session")
    }

    /// A real client's session, or the status that it was refused with.
    pub(crate) async fn try_open(&self) -> Result<Socket, u16> {
        Socket::try_open(&self.address.to_string(), "/", &[]).await
    }
}

fn say_the_peer(peer: SocketAddr, extensions: &mut Extensions) {
    extensions.insert(ClientAddr::from(peer));
}

async fn page(_: Request<Incoming>) -> Result<Response<Full<Bytes>>, Infallible> {
    Ok(Response::new(Full::from("host")))
}

fn bare(stream: TcpStream) -> TcpStream {
    stream
}

async fn serve<S, B, W>(listener: TcpListener, wrap: fn(TcpStream) -> W, service: S, says: Says)
where
    W: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    S: Service<Request<Incoming>, Response = Response<B>, Error = Infallible>,
    S: Clone + Send + 'static,
    S::Future: Send,
    B: Body<Data = Bytes> + Send + 'static,
    B::Error: Into<Box<dyn Error + Send + Sync>>,
{
    let mut connections = JoinSet::new();
    loop {
        let (stream, peer) = listener.accept().await.expect("a connection");
        stream.set_nodelay(true).expect("an option");
        let service = service.clone();
        connections.spawn(async move {
            let service = service_fn(move |mut request: Request<Incoming>| {
                says(peer, request.extensions_mut());
                service.call(request)
            });
            let connection = http1::Builder::new()
                .timer(TokioTimer::new())
                .serve_connection(TokioIo::new(wrap(stream)), service)
                .with_upgrades();
            // How a connection ends is for the test to see at its own end of it.
            let _ = connection.await;
        });
    }
}
