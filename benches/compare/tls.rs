//! TLS of the benchmark: one certificate for all proxies, and clients of one version and one cipher suite.

use std::fs;
use std::io;
use std::path::Path;
use std::sync::Arc;

use rcgen::{CertifiedKey, generate_simple_self_signed};
use tokio_rustls::rustls::client::Resumption;
use tokio_rustls::rustls::crypto::CryptoProvider;
use tokio_rustls::rustls::crypto::aws_lc_rs::{self, cipher_suite::TLS13_AES_128_GCM_SHA256};
use tokio_rustls::rustls::version::TLS13;
use tokio_rustls::rustls::{ClientConfig, RootCertStore};

use crate::common::stream::NAME;

/// How clients reach a proxy.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Over {
    Plain,
    Tls,
    /// Later connections resume the session of an earlier one.
    ResumedTls,
    /// On streams of HTTP/2, over TLS.
    Http2,
}

impl Over {
    pub(crate) fn is_tls(self) -> bool {
        self != Self::Plain
    }

    /// What stands before the word of a scenario.
    pub(crate) fn prefix(self) -> &'static str {
        match self {
            Self::Plain => "",
            Self::Tls => "tls-",
            Self::ResumedTls => "tls-resumed-",
            Self::Http2 => "http2-",
        }
    }

    /// What stands behind its title.
    pub(crate) fn suffix(self) -> &'static str {
        match self {
            Self::Plain => "",
            Self::Tls => ", over TLS",
            Self::ResumedTls => ", over TLS with resumption",
            Self::Http2 => ", over HTTP/2 and TLS",
        }
    }
}

/// Certificates in files, and who trusts them.
pub(crate) struct Tls {
    roots: RootCertStore,
}

impl Tls {
    /// Writes the certificate into `cert.pem`, its key into `key.pem`, and both into `both.pem`.
    pub(crate) fn prepare(directory: &Path) -> io::Result<Self> {
        let CertifiedKey { cert, signing_key } =
            generate_simple_self_signed([NAME.to_owned()]).map_err(io::Error::other)?;
        let key = signing_key.serialize_pem();
        fs::write(directory.join("cert.pem"), cert.pem())?;
        fs::write(directory.join("key.pem"), &key)?;
        fs::write(directory.join("both.pem"), cert.pem() + &key)?;
        let mut roots = RootCertStore::empty();
        roots.add(cert.der().clone()).map_err(io::Error::other)?;
        Ok(Self { roots })
    }

    /// Settings of clients, which know no session yet.
    pub(crate) fn client(&self, over: Over) -> io::Result<Option<Arc<ClientConfig>>> {
        let provider = CryptoProvider {
            cipher_suites: vec![TLS13_AES_128_GCM_SHA256],
            ..aws_lc_rs::default_provider()
        };
        let builder = ClientConfig::builder_with_provider(Arc::new(provider))
            .with_protocol_versions(&[&TLS13])
            .map_err(io::Error::other)?;
        let mut config = builder
            .with_root_certificates(self.roots.clone())
            .with_no_client_auth();
        match over {
            Over::Plain => return Ok(None),
            Over::Tls => config.resumption = Resumption::disabled(),
            Over::ResumedTls => {}
            Over::Http2 => config.alpn_protocols = vec![b"h2".to_vec()],
        }
        Ok(Some(Arc::new(config)))
    }
}
