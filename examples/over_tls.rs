//! A host with TLS of its own in front of the gate: it asks its clients for certificates, and the backend gets their
//! subjects in a header.
//!
//! ```sh
//! cargo run --example echo_upstream &
//! cargo run --example over_tls -- 127.0.0.1:8443 ws://127.0.0.1:9001 fullchain.pem privkey.pem clients-ca.pem
//! ```

use std::error::Error;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use hyper::Request;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::{Service, service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::timeout;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::crypto::aws_lc_rs;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio_rustls::rustls::server::WebPkiClientVerifier;
use tokio_rustls::rustls::{RootCertStore, ServerConfig, ServerConnection};
use tokio_util::task::TaskTracker;
use wsgate::{ClientAddr, Config, Gate, OverTls};
use x509_cert::Certificate;
use x509_cert::der::Decode;

const SETTINGS: &str = r#"
    [upstream.backend]
    servers = ["BACKEND"]

    [[route]]
    name = "all"
    path = "/*"
    upstream = "backend"

    [route.headers]
    # Empty for a client without a certificate. One that the client sends itself never gets there.
    set = { x-client-subject = "{tls.subject}" }
"#;

/// From the connection to the end of its TLS handshake.
const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(10);

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<_> = std::env::args().skip(1).collect();
    let [address, backend, cert, key, client_ca] = &arguments[..] else {
        return Err("usage: over_tls ADDRESS BACKEND CERT KEY CLIENT_CA".into());
    };
    let settings = SETTINGS.replace("BACKEND", backend);
    let gate = Gate::builder(Config::from_toml("over_tls.toml", &settings)?).build()?;
    let acceptor = TlsAcceptor::from(Arc::new(tls(cert, key, client_ca)?));
    let listener = TcpListener::bind(address).await?;
    println!("listening on https://{}/", listener.local_addr()?);
    let connections = TaskTracker::new();
    loop {
        let (stream, peer) = listener.accept().await?;
        let (gate, acceptor) = (gate.clone(), acceptor.clone());
        connections.spawn(async move {
            if let Err(error) = serve(gate, acceptor, stream, peer).await {
                eprintln!("{peer}: {error}");
            }
        });
    }
}

/// Shows this certificate, and verifies those of the clients that have one.
fn tls(cert: &str, key: &str, client_ca: &str) -> Result<ServerConfig, Box<dyn Error>> {
    let mut roots = RootCertStore::empty();
    for authority in CertificateDer::pem_file_iter(client_ca)? {
        roots.add(authority?)?;
    }
    let provider = Arc::new(aws_lc_rs::default_provider());
    let clients = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider.clone());
    let chain = CertificateDer::pem_file_iter(cert)?.collect::<Result<_, _>>()?;
    let mut config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        .with_client_cert_verifier(clients.allow_unauthenticated().build()?)
        .with_single_cert(chain, PrivateKeyDer::from_pem_file(key)?)?;
    // WebSockets of this host are upgrades of HTTP/1.1.
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(config)
}

async fn serve(
    gate: Gate,
    acceptor: TlsAcceptor,
    stream: TcpStream,
    peer: SocketAddr,
) -> Result<(), Box<dyn Error + Send + Sync>> {
    stream.set_nodelay(true)?;
    let stream = timeout(HANDSHAKE_TIMEOUT, acceptor.accept(stream)).await??;
    let over_tls = shown(stream.get_ref().1)?;
    let gate = gate.service();
    let service = service_fn(move |mut request: Request<Incoming>| {
        let extensions = request.extensions_mut();
        extensions.insert(ClientAddr::from(peer));
        extensions.insert(over_tls.clone());
        Service::call(&gate, request)
    });
    http1::Builder::new()
        .timer(TokioTimer::new())
        .serve_connection(TokioIo::new(stream), service)
        .with_upgrades()
        .await?;
    Ok(())
}

/// What the handshake has shown of the client.
fn shown(connection: &ServerConnection) -> Result<OverTls, x509_cert::der::Error> {
    let mut over_tls = OverTls::new();
    // Requests for other hosts are then refused with 421.
    if let Some(name) = connection.server_name() {
        over_tls = over_tls.server_name(name);
    }
    if let Some(version) = connection.protocol_version() {
        over_tls = over_tls.version(match version.as_str() {
            Some("TLSv1_3") => "1.3",
            _ => "1.2",
        });
    }
    // The verifier has accepted it.
    if let Some([certificate, ..]) = connection.peer_certificates() {
        let certificate = Certificate::from_der(certificate)?;
        let subject = certificate.tbs_certificate().subject().to_string();
        over_tls = over_tls.client_subject(subject);
    }
    Ok(over_tls)
}
