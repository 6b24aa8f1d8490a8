//! What the program would answer to a request, without serving.

use std::net::{IpAddr, SocketAddr};

use http::Request;

use super::error::ServeError;
use super::http::health::HealthPage;
use crate::config::Config;
use crate::{ClientAddr, Gate};

pub use crate::{Explanation, OverTls, TriedRoute};

/// Explains what the program would answer to this request of a peer with these settings; `None` where it
/// is for `server.health_path`. It connects to no server.
///
/// # Errors
/// [`ServeError`] if no gate can be built.
pub async fn explain(
    config: Config,
    mut request: Request<()>,
    peer: IpAddr,
) -> Result<Option<Explanation>, ServeError> {
    let health_path = config.server.health_path.clone();
    let gate = Gate::builder(config).build()?;
    let health = HealthPage::new(gate.handle(), &health_path);
    if health
        .answer(request.method(), request.uri(), request.headers())
        .is_some()
    {
        return Ok(None);
    }
    let peer = ClientAddr::from(SocketAddr::new(peer, 1));
    request.extensions_mut().insert(peer);
    let (parts, ()) = request.into_parts();
    Ok(Some(gate.explain(parts).await))
}
