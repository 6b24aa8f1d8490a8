//! Publishes with one HTTP request, as a backend in any language does.

use std::fmt;
use std::fs::OpenOptions;
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use bytes::Bytes;
use http::{Request, StatusCode, header};
use http_body_util::{BodyExt, Full};
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use tokio::net::UnixStream;
use tokio::time::timeout;

/// A publisher of the demo, with a token of its own.
pub(super) struct Publisher {
    socket: PathBuf,
    token: String,
}

/// Why something was not published.
#[derive(Debug, thiserror::Error)]
pub(super) enum PublishError {
    #[error("the publish listener cannot be reached")]
    Connect(#[source] io::Error),
    #[error("the connection to the publish listener broke")]
    Broken(#[source] hyper::Error),
    #[error("the request cannot be made")]
    Request(#[source] http::Error),
    #[error("the publish listener answered {0}")]
    Refused(StatusCode),
    #[error("the publish listener did not answer in time")]
    Late,
}

/// From the connect to the answer.
const TIMEOUT: Duration = Duration::from_secs(5);

/// The name of the token's file in the demo's folder.
const TOKEN_FILE: &str = "publish.token";

/// The name of the socket there.
const SOCKET: &str = "publish.sock";

impl Publisher {
    /// A publisher for the gate whose files are in this folder, with a new token, which is written there for the command
    /// line.
    pub(super) fn new(folder: &Path) -> io::Result<Self> {
        let token = format!("{:032x}", rand::random::<u128>());
        let mut file = OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(token_file(folder))?;
        file.write_all(token.as_bytes())?;
        Ok(Self {
            socket: socket(folder),
            token,
        })
    }

    /// Its listener, for the settings.
    pub(super) fn table(&self) -> String {
        let socket = self.socket.display().to_string();
        format!(
            "\n[publish]\naddress = \"unix:{}\"\n\
             tokens = [{{ name = \"chat\", token = \"{}\", channels = [\"room.*\"] }}]\n",
            socket.escape_default(),
            self.token,
        )
    }

    /// Publishes a text to a channel.
    pub(super) async fn publish(&self, channel: &str, text: String) -> Result<(), PublishError> {
        let answered = timeout(TIMEOUT, self.send(channel, text)).await;
        let status = answered.map_err(|_elapsed| PublishError::Late)??;
        match status.is_success() {
            true => Ok(()),
            false => Err(PublishError::Refused(status)),
        }
    }

    async fn send(&self, channel: &str, text: String) -> Result<StatusCode, PublishError> {
        let request = Request::post(format!("/channels/{channel}"))
            .header(header::HOST, "localhost")
            .header(header::AUTHORIZATION, format!("Bearer {}", self.token))
            .header(header::CONTENT_TYPE, "application/json")
            .body(Full::<Bytes>::from(text))
            .map_err(PublishError::Request)?;
        let stream = UnixStream::connect(&self.socket).await;
        let stream = TokioIo::new(stream.map_err(PublishError::Connect)?);
        let (mut sender, connection) = http1::handshake(stream)
            .await
            .map_err(PublishError::Broken)?;
        let exchange = async move {
            let response = sender.send_request(request).await?;
            let status = response.status();
            response.into_body().collect().await?;
            Ok(status)
        };
        let (status, _connection_has_ended) = tokio::join!(exchange, connection);
        status.map_err(PublishError::Broken)
    }
}

/// The token stays out.
impl fmt::Debug for Publisher {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Publisher")
            .field("socket", &self.socket)
            .finish_non_exhaustive()
    }
}

/// The publish listener of the demo in this folder.
pub(super) fn socket(folder: &Path) -> PathBuf {
    folder.join(SOCKET)
}

/// The file with the token for it.
pub(super) fn token_file(folder: &Path) -> PathBuf {
    folder.join(TOKEN_FILE)
}
