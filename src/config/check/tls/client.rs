//! `[upstream.NAME.tls]`: TLS with the servers of a pool.

use std::path::Path;
#[cfg(any(feature = "acme", feature = "auth", feature = "shared"))]
use std::path::PathBuf;

use super::files::{read, read_identity, unusable};
use crate::config::report::{Node, Report};
use crate::config::settings::{UpstreamHttp, UpstreamTls};
use crate::tls::{ApplicationProtocol, ClientFiles, ClientTls};

/// TLS with the servers of a pool, of which at least one URL asks for it.
pub(in crate::config::check) fn client(
    settings: &UpstreamTls,
    http: UpstreamHttp,
    node: &Node<'_>,
    directory: &Path,
    report: &mut Report<'_>,
) -> Option<ClientTls> {
    let ca = settings.ca.as_ref();
    let ca = ca.map(|ca| read(ca, &node.get("ca"), directory, report));
    let files = (&settings.cert, &settings.key);
    let identity = read_identity(files, node, directory, report);
    let (ca, identity) = (ca.transpose().ok()?, identity.ok()?);
    let protocol = match http {
        UpstreamHttp::H1 => ApplicationProtocol::Http1,
        UpstreamHttp::H2 => ApplicationProtocol::Http2,
    };
    let files = ClientFiles { ca, identity };
    match ClientTls::new(files, settings.server_name.clone(), protocol) {
        Ok(tls) => Some(tls),
        Err(error) => {
            let file = match error.key() {
                "ca" => &settings.ca,
                "cert" => &settings.cert,
                _ => &settings.key,
            };
            let node = node.get(error.key());
            unusable(&error, file.as_ref(), &node, directory, report);
            None
        }
    }
}

/// TLS with a server that has a URL of its own: an authority, an identity provider, an engine.
#[cfg(any(feature = "acme", feature = "auth", feature = "shared"))]
pub(in crate::config::check) fn client_of_urls(
    ca: Option<&PathBuf>,
    protocol: ApplicationProtocol,
    node: &Node<'_>,
    directory: &Path,
    report: &mut Report<'_>,
) -> Option<ClientTls> {
    let node = node.get("ca");
    let contents = ca.map(|ca| read(ca, &node, directory, report));
    let files = ClientFiles {
        ca: contents.transpose().ok()?,
        identity: None,
    };
    let tls = ClientTls::new(files, None, protocol);
    tls.map_err(|error| unusable(&error, ca, &node, directory, report))
        .ok()
}
