//! The stream of a WebSocket on HTTP/2, from a host whose HTTP/2 is not hyper's.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::oneshot;

use super::custom::CustomStream;

/// What becomes the stream of a WebSocket that a request for HTTP/2's extended CONNECT (RFC 8441) asks for.
///
/// Hyper puts such a thing into the extensions of a request by itself. A host that serves HTTP/2 by
/// other means puts in this one, beside the `hyper::ext::Protocol` that says `websocket`. If the gate
/// answers 200, the host sends that and gives the stream to the [`StreamSender`].
#[derive(Clone)]
pub struct StreamUpgrade(Arc<Mutex<Option<oneshot::Receiver<CustomStream>>>>);

/// Takes the stream for a [`StreamUpgrade`].
#[derive(Debug)]
pub struct StreamSender(oneshot::Sender<CustomStream>);

/// The host has given up the stream.
#[derive(Clone, Copy, Debug, thiserror::Error)]
#[error("the host gave up the stream before the session began")]
pub(crate) struct StreamLost;

impl StreamUpgrade {
    /// The two ends.
    pub fn pair() -> (StreamSender, Self) {
        let (sender, receiver) = oneshot::channel();
        let receiver = Arc::new(Mutex::new(Some(receiver)));
        (StreamSender(sender), Self(receiver))
    }

    /// The stream, once the host has sent the answer.
    pub(crate) async fn stream(self) -> Result<CustomStream, StreamLost> {
        let receiver = self.0.lock().unwrap_or_else(PoisonError::into_inner).take();
        match receiver {
            Some(receiver) => receiver.await.map_err(|_| StreamLost),
            None => Err(StreamLost),
        }
    }
}

impl StreamSender {
    /// Gives the stream to the session. It is dropped if that has ended by now.
    ///
    /// Dropping the stream before its half is shut has to reset it, so that the client notices.
    pub fn send(self, stream: impl AsyncRead + AsyncWrite + Send + Unpin + 'static) {
        let _ended = self.0.send(CustomStream::new(stream));
    }

    /// Whether nobody waits for the stream: the gate has not accepted the handshake.
    pub fn is_closed(&self) -> bool {
        self.0.is_closed()
    }
}

impl fmt::Debug for StreamUpgrade {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("StreamUpgrade")
    }
}
