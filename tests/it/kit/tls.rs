//! A terminator of TLS before a plain server, with certificates of its own authority.

use std::fs::Permissions;
use std::net::SocketAddr;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime};

use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair, date_time_ymd,
};
use tempfile::TempDir;
use tokio::io::copy_bidirectional;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::crypto::aws_lc_rs;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};
use tokio_rustls::rustls::server::WebPkiClientVerifier;
use tokio_rustls::rustls::{RootCertStore, ServerConfig};

/// A certificate authority, and a folder for what it issues.
pub(crate) struct Authority {
    issuer: CertifiedIssuer<'static, KeyPair>,
    folder: TempDir,
}

/// A certificate and its key.
pub(crate) struct Issued {
    certificate: CertificateDer<'static>,
    key: KeyPair,
    pem: String,
}

/// When a certificate holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Validity {
    Now,
    /// For so long from now on.
    For(Duration),
    Over,
    NotYet,
}

impl Authority {
    pub(crate) fn new() -> Self {
        let mut parameters = CertificateParams::new(Vec::new()).unwrap();
        parameters.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        parameters
            .distinguished_name
            .push(DnType::CommonName, "an authority of tests");
        let issuer = CertifiedIssuer::self_signed(parameters, KeyPair::generate().unwrap());
        Self {
            issuer: issuer.unwrap(),
            folder: tempfile::tempdir().unwrap(),
        }
    }

    /// The file of its own certificate.
    pub(crate) fn file(&self) -> PathBuf {
        self.write("ca.pem", &self.issuer.pem())
    }

    pub(crate) fn issue(&self, name: &str, validity: Validity) -> Issued {
        let mut parameters = CertificateParams::new(vec![name.to_owned()]).unwrap();
        parameters.distinguished_name.push(DnType::CommonName, name);
        match validity {
            Validity::Now => {}
            Validity::For(time) => parameters.not_after = (SystemTime::now() + time).into(),
            Validity::Over => parameters.not_after = date_time_ymd(2001, 1, 1),
            Validity::NotYet => parameters.not_before = date_time_ymd(2999, 1, 1),
        }
        let key = KeyPair::generate().unwrap();
        let certificate = parameters.signed_by(&key, &self.issuer).unwrap();
        Issued {
            pem: certificate.pem(),
            certificate: certificate.into(),
            key,
        }
    }

    /// Its own certificate.
    pub(crate) fn certificate(&self) -> CertificateDer<'static> {
        self.issuer.der().clone()
    }

    /// Writes a certificate, followed by that of the authority, and its key into files.
    pub(crate) fn write_identity(&self, issued: &Issued) -> (PathBuf, PathBuf) {
        self.write_identity_as("client", issued)
    }

    /// The same into files of this name.
    pub(crate) fn write_identity_as(&self, name: &str, issued: &Issued) -> (PathBuf, PathBuf) {
        let key = issued.key.serialize_pem();
        let chain = format!("{}{}", issued.pem, self.issuer.pem());
        let cert = self.write(&format!("{name}.pem"), &chain);
        let key = self.write(&format!("{name}.key"), &key);
        std::fs::set_permissions(&key, Permissions::from_mode(0o600)).unwrap();
        (cert, key)
    }

    /// A file of its folder.
    pub(crate) fn file_of(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn write(&self, name: &str, text: &str) -> PathBuf {
        let path = self.file_of(name);
        std::fs::write(&path, text).unwrap();
        path
    }
}

/// Terminates TLS for a plain server; it ends when this is dropped.
pub(crate) struct Terminator {
    pub(crate) address: SocketAddr,
    clients: Arc<Mutex<Vec<Option<CertificateDer<'static>>>>>,
    _tasks: JoinSet<()>,
}

impl Terminator {
    /// Before the server of this URL. With `asks`, clients have to show a certificate of that authority.
    pub(crate) async fn start(shown: Issued, plain: &str, asks: Option<&Authority>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let plain = plain.strip_prefix("ws://").unwrap().to_owned();
        let acceptor = TlsAcceptor::from(Arc::new(server(shown, asks)));
        let clients = Arc::<Mutex<Vec<_>>>::default();
        let seen = Arc::clone(&clients);
        let mut tasks = JoinSet::new();
        tasks.spawn(async move {
            let mut connections = JoinSet::new();
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                stream.set_nodelay(true).unwrap();
                let (acceptor, plain, seen) = (acceptor.clone(), plain.clone(), Arc::clone(&seen));
                connections.spawn(async move {
                    // A client that does not trust this server hangs up.
                    let Ok(mut stream) = acceptor.accept(stream).await else {
                        return;
                    };
                    let shown = stream.get_ref().1.peer_certificates();
                    let shown = shown.map(|chain| chain[0].clone().into_owned());
                    seen.lock().unwrap().push(shown);
                    let mut plain = TcpStream::connect(plain).await.unwrap();
                    plain.set_nodelay(true).unwrap();
                    let _ended = copy_bidirectional(&mut stream, &mut plain).await;
                });
            }
        });
        Self {
            address,
            clients,
            _tasks: tasks,
        }
    }

    /// The URL under a name that leads here.
    pub(crate) fn url(&self, host: &str) -> String {
        format!("wss://{host}:{}", self.address.port())
    }

    /// The certificates that its clients have shown, in their order.
    pub(crate) fn shown(&self) -> Vec<Option<CertificateDer<'static>>> {
        self.clients.lock().unwrap().clone()
    }
}

impl Issued {
    pub(crate) fn certificate(&self) -> &CertificateDer<'static> {
        &self.certificate
    }

    /// Alone.
    pub(crate) fn pem(&self) -> &str {
        &self.pem
    }

    /// Its private key, in PKCS #8.
    pub(super) fn key(&self) -> Vec<u8> {
        self.key.serialize_der()
    }
}

fn server(shown: Issued, asks: Option<&Authority>) -> ServerConfig {
    let provider = Arc::new(aws_lc_rs::default_provider());
    let builder = ServerConfig::builder_with_provider(Arc::clone(&provider))
        .with_safe_default_protocol_versions()
        .unwrap();
    let builder = match asks {
        None => builder.with_no_client_auth(),
        Some(authority) => {
            let mut roots = RootCertStore::empty();
            roots.add(authority.issuer.der().clone()).unwrap();
            let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider);
            builder.with_client_cert_verifier(verifier.build().unwrap())
        }
    };
    let key = PrivateKeyDer::from(PrivatePkcs8KeyDer::from(shown.key.serialize_der()));
    builder
        .with_single_cert(vec![shown.certificate], key)
        .unwrap()
}
