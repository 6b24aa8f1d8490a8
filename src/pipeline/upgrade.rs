//! What becomes the client's leg once its handshake is accepted.

use bytes::Bytes;
use hyper::upgrade::OnUpgrade;

use crate::request::Handshake;
use crate::transport::{StreamLost, StreamUpgrade, Transport};

/// The client's connection or stream, on its way out of the host's HTTP.
#[derive(Debug)]
pub(crate) enum Upgrade {
    /// Hyper's: a connection of HTTP/1.1 or a stream of HTTP/2.
    Hyper(OnUpgrade),
    /// The host's own stream of HTTP/2.
    Stream(StreamUpgrade),
}

/// The host gave the session nothing to speak on.
#[derive(Debug, thiserror::Error)]
pub(super) enum UpgradeError {
    #[error("the connection was not upgraded")]
    Hyper(#[source] hyper::Error),
    #[error(transparent)]
    Stream(#[from] StreamLost),
}

impl Upgrade {
    /// Takes it out of a request.
    pub(crate) fn take(handshake: &mut Handshake) -> Self {
        match handshake.take_extension() {
            Some(stream) => Self::Stream(stream),
            None => Self::Hyper(handshake.take_upgrade()),
        }
    }

    /// The socket or stream, and what was read of it behind the request.
    pub(super) async fn transport(self) -> Result<(Transport, Bytes), UpgradeError> {
        match self {
            Self::Hyper(on_upgrade) => match on_upgrade.await {
                Ok(upgraded) => Ok(Transport::from_upgraded(upgraded)),
                Err(error) => Err(UpgradeError::Hyper(error)),
            },
            Self::Stream(stream) => {
                let stream = stream.stream().await?;
                Ok((Transport::Custom(stream), Bytes::new()))
            }
        }
    }
}
