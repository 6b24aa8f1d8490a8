//! A client of a listener with TLS.

use std::io;
use std::sync::Arc;

use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tokio_rustls::rustls::client::ClientConfig;
use tokio_rustls::rustls::crypto::aws_lc_rs;
use tokio_rustls::rustls::pki_types::{
    CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer, ServerName,
};
use tokio_rustls::rustls::{HandshakeKind, RootCertStore, SupportedProtocolVersion, version};

use super::tls::{Authority, Issued};
use super::{Wire, soon};

/// A client that trusts an authority; it resumes its sessions.
pub(crate) struct TlsPeer {
    config: Arc<ClientConfig>,
}

/// What the gate has shown of itself.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Shown {
    pub(crate) certificate: CertificateDer<'static>,
    pub(crate) is_resumed: bool,
}

/// The versions of a client, the lowest first.
pub(crate) const BOTH: &[&SupportedProtocolVersion] = &[&version::TLS12, &version::TLS13];

impl TlsPeer {
    /// Trusts this authority, and shows a certificate if it has one and is asked.
    pub(crate) fn new(
        trusts: &Authority,
        shows: Option<&Issued>,
        versions: &[&'static SupportedProtocolVersion],
    ) -> Self {
        Self::trusting(trusts.certificate(), shows, versions)
    }

    /// Trusts this certificate.
    pub(crate) fn trusting(
        trusts: CertificateDer<'_>,
        shows: Option<&Issued>,
        versions: &[&'static SupportedProtocolVersion],
    ) -> Self {
        let mut roots = RootCertStore::empty();
        roots.add(trusts).unwrap();
        let provider = Arc::new(aws_lc_rs::default_provider());
        let builder = ClientConfig::builder_with_provider(provider)
            .with_protocol_versions(versions)
            .unwrap()
            .with_root_certificates(roots);
        let config = match shows {
            None => builder.with_no_client_auth(),
            Some(issued) => {
                let key = PrivateKeyDer::from(PrivatePkcs8KeyDer::from(issued.key()));
                let chain = vec![issued.certificate().clone()];
                builder.with_client_auth_cert(chain, key).unwrap()
            }
        };
        Self {
            config: Arc::new(config),
        }
    }

    /// Offers these protocols by ALPN.
    pub(crate) fn offering(mut self, protocols: &[&str]) -> Self {
        let protocols = protocols.iter().map(|name| name.as_bytes().to_vec());
        Arc::make_mut(&mut self.config).alpn_protocols = protocols.collect();
        self
    }

    /// Connects for a name, or without one.
    pub(crate) async fn connect(
        &self,
        address: &str,
        name: &str,
        sends_name: bool,
    ) -> io::Result<(Wire, Shown)> {
        let stream = self.stream(address, name, sends_name).await?;
        let connection = stream.get_ref().1;
        let shown = Shown {
            certificate: connection.peer_certificates().unwrap()[0]
                .clone()
                .into_owned(),
            is_resumed: connection.handshake_kind() == Some(HandshakeKind::Resumed),
        };
        Ok((Wire::of_client(stream), shown))
    }

    /// The same, as a stream that is not looked at yet.
    pub(crate) async fn stream(
        &self,
        address: &str,
        name: &str,
        sends_name: bool,
    ) -> io::Result<TlsStream<TcpStream>> {
        let stream = TcpStream::connect(address).await?;
        stream.set_nodelay(true)?;
        let mut config = Arc::clone(&self.config);
        if !sends_name {
            Arc::make_mut(&mut config).enable_sni = false;
        }
        let name = ServerName::try_from(name.to_owned()).unwrap();
        let connected = TlsConnector::from(config).connect(name, stream);
        let mut stream = soon("a TLS handshake", connected).await?;
        // A refused certificate is heard of only now in version 1.3.
        stream.flush().await?;
        Ok(stream)
    }
}
