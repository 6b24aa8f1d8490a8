use std::net::SocketAddr;

use http_body_util::Empty;
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio::task::JoinSet;
use tokio::time::Instant;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::crypto::aws_lc_rs;
use tokio_rustls::rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};

use super::*;
use crate::error_report::ErrorReport;
use crate::tls::{ApplicationProtocol, ClientFiles};
use crate::transport::race_tests::{refusing, swallowing};

const LIMIT: Duration = Duration::from_secs(7);

/// An authority, and what a server of `localhost` needs.
struct Issued {
    ca: String,
    acceptor: TlsAcceptor,
}

impl Issued {
    fn new() -> Self {
        let mut parameters = CertificateParams::new(Vec::new()).unwrap();
        parameters.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let issuer = CertifiedIssuer::self_signed(parameters, KeyPair::generate().unwrap());
        let issuer = issuer.unwrap();
        let key = KeyPair::generate().unwrap();
        let parameters = CertificateParams::new(vec!["localhost".to_owned()]).unwrap();
        let certificate = parameters.signed_by(&key, &issuer).unwrap();
        let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.serialize_der()));
        let config = ServerConfig::builder_with_provider(aws_lc_rs::default_provider().into())
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![certificate.into()], key)
            .unwrap();
        Self {
            ca: issuer.pem(),
            acceptor: TlsAcceptor::from(std::sync::Arc::new(config)),
        }
    }
}

fn client(ca: &str) -> Client {
    let files = ClientFiles {
        ca: Some(ca.as_bytes().to_vec()),
        identity: None,
    };
    Client {
        tls: Some(ClientTls::new(files, None, ApplicationProtocol::Http1).unwrap()),
        plain: PlainHttp::Loopback,
        timeout: LIMIT,
        body: |status| match status.as_u16() {
            204 => 0,
            _ => 10,
        },
    }
}

/// Reads a request's head, and answers it.
async fn answer(mut stream: impl AsyncRead + AsyncWrite + Unpin, answer: &str) -> String {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(stream.read_u8().await.unwrap());
    }
    stream.write_all(answer.as_bytes()).await.unwrap();
    stream.shutdown().await.unwrap();
    String::from_utf8(head).unwrap()
}

/// Sends a request to a server that answers so, and returns what that has received too.
async fn exchange(said: &'static str) -> (Result<Response<Option<Bytes>>, ClientError>, String) {
    let (listener, port) = listen().await;
    let client = client(&Issued::new().ca);
    let request = get(&format!("http://127.0.0.1:{port}/keys?canary=1"));
    let serve = async { answer(listener.accept().await.unwrap().0, said).await };
    tokio::join!(client.send(request), serve)
}

async fn listen() -> (TcpListener, u16) {
    let address = SocketAddr::from(([127, 0, 0, 1], 0));
    let listener = TcpListener::bind(address).await.unwrap();
    let port = listener.local_addr().unwrap().port();
    (listener, port)
}

fn get(url: &str) -> Request<Empty<Bytes>> {
    let request = Request::get(url).header("host", "other.test");
    request.body(Empty::new()).unwrap()
}

#[tokio::test]
async fn a_request_goes_out_once_with_the_servers_name_and_the_answer_comes_back_whole() {
    let said = "HTTP/1.1 302 Found\r\nlocation: /x\r\ncontent-length: 5\r\n\r\nhello";
    let (answer, received) = exchange(said).await;
    let answer = answer.unwrap();
    assert_eq!(answer.status(), 302);
    assert_eq!(answer.headers()["location"], "/x");
    assert_eq!(answer.into_body().unwrap(), "hello");
    let (line, headers) = received.split_once("\r\n").unwrap();
    assert_eq!(line, "GET /keys?canary=1 HTTP/1.1");
    assert!(headers.contains("host: 127.0.0.1:"), "{headers}");
    assert!(headers.contains("connection: close"), "{headers}");
    assert!(!headers.contains("other.test"), "{headers}");
}

#[tokio::test]
async fn a_body_is_read_up_to_its_bound_however_it_is_framed() {
    for (head, body, expected) in [
        ("HTTP/1.1 200 OK\r\ncontent-length: 10", "0123456789", true),
        (
            "HTTP/1.1 200 OK\r\ncontent-length: 11",
            "01234567890",
            false,
        ),
        ("HTTP/1.1 200 OK", "0123456789", true),
        ("HTTP/1.1 200 OK", "01234567890", false),
        (
            "HTTP/1.1 401 No\r\ntransfer-encoding: chunked",
            "a\r\n0123456789\r\n0\r\n\r\n",
            true,
        ),
        (
            "HTTP/1.1 401 No\r\ntransfer-encoding: chunked",
            "b\r\n01234567890\r\n0\r\n\r\n",
            false,
        ),
        ("HTTP/1.1 204 No\r\nserver: x", "", true),
    ] {
        let said = format!("{head}\r\n\r\n{body}").leak();
        let answer = exchange(said).await.0.unwrap();
        assert_eq!(answer.body().is_some(), expected, "{said}");
    }
}

#[tokio::test]
async fn what_is_no_whole_answer_is_an_error_without_a_secret() {
    let head = "HTTP/1.1 200 OK\r\n";
    let long = format!("{head}x: {}\r\n\r\n", "canary".repeat(HEAD)).leak();
    let short = format!("{head}content-length: 9\r\n\r\ncanary").leak();
    let twice = format!("{head}content-length: 1\r\ntransfer-encoding: chunked\r\n\r\n1\r\nx\r\n");
    for said in ["", "canary\r\n\r\n", long, short, twice.leak()] {
        let error = exchange(said).await.0.unwrap_err();
        let shown = format!("{error:?} {}", ErrorReport(&error));
        assert!(!shown.contains("canary"), "{shown}");
    }
}

#[tokio::test]
async fn a_server_over_tls_is_verified() {
    let issued = Issued::new();
    for (ca, is_trusted) in [(issued.ca.clone(), true), (Issued::new().ca, false)] {
        let (listener, port) = listen().await;
        let request = get(&format!("https://localhost:{port}/"));
        let acceptor = issued.acceptor.clone();
        let mut server = JoinSet::new();
        server.spawn(async move {
            let stream = listener.accept().await.unwrap().0;
            if let Ok(stream) = acceptor.accept(stream).await {
                answer(stream, "HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n").await;
            }
        });
        match client(&ca).send_for_whole(request).await {
            Ok(answer) => assert!(is_trusted, "{answer:?}"),
            Err(ClientError::Tls { host, .. }) => assert!(!is_trusted, "{host}"),
            Err(error) => panic!("{error:?}"),
        }
    }
}

#[tokio::test]
async fn without_authorities_nobody_is_asked_over_tls() {
    let client = Client {
        tls: None,
        ..client(&Issued::new().ca)
    };
    let error = client.send(get("https://localhost/")).await.unwrap_err();
    assert!(matches!(error, ClientError::NoTls { .. }), "{error:?}");
}

#[tokio::test]
async fn a_server_that_is_not_there_is_named() {
    let (_held, address) = refusing();
    let client = client(&Issued::new().ca);
    let error = client.send(get(&format!("http://{address}/?canary"))).await;
    let error = error.unwrap_err();
    assert!(matches!(error, ClientError::Connect { .. }), "{error:?}");
    let expected = format!("no connection to 127.0.0.1 port {}", address.port());
    assert_eq!(error.to_string(), expected);
}

#[tokio::test(start_paused = true)]
async fn a_request_has_one_deadline_and_a_connection_an_earlier_one() {
    let client = client(&Issued::new().ca);
    let started = Instant::now();
    let (listener, port) = listen().await;
    let error = client.send(get(&format!("http://127.0.0.1:{port}/"))).await;
    assert!(matches!(error, Err(ClientError::Late { .. })), "{error:?}");
    assert_eq!(started.elapsed(), LIMIT);
    drop(listener);

    let (_held, address) = swallowing().await;
    let started = Instant::now();
    let error = client.send(get(&format!("http://{address}/"))).await;
    let is_late = matches!(&error, Err(ClientError::Connect { source, .. })
        if source.kind() == std::io::ErrorKind::TimedOut);
    assert!(is_late, "{error:?}");
    assert_eq!(started.elapsed().as_secs(), 5);
}

#[tokio::test]
async fn a_longer_body_is_an_error_where_only_the_whole_is_of_use() {
    let (listener, port) = listen().await;
    let client = client(&Issued::new().ca);
    let request = get(&format!("http://localhost:{port}/"));
    let said = "HTTP/1.1 200 OK\r\n\r\n01234567890";
    let serve = async { answer(listener.accept().await.unwrap().0, said).await };
    let (answer, _) = tokio::join!(client.send_for_whole(request), serve);
    assert!(matches!(answer, Err(ClientError::TooLong { limit: 10 })));
}
