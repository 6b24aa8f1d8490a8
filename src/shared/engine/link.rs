//! A connection with a server of the engine: our own socket and TLS, and on them the crate's protocol.

use std::io;
use std::ops::ControlFlow;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use redis::aio::{AsyncPushSender, MultiplexedConnection};
use redis::{AsyncConnectionConfig, ErrorKind, ProtocolVersion, RedisConnectionInfo};
use socket2::{SockRef, TcpKeepalive};
use tokio::net::{TcpStream, lookup_host};
use tokio::time::timeout;

use super::error::{Endpoint, EngineError};
use crate::config::Secret;
use crate::tls::ClientTls;
use crate::transport::{Transport, race};

/// How the servers of an engine are spoken to.
#[derive(Clone)]
pub(in crate::shared) struct Manners {
    pub(in crate::shared) database: u32,
    pub(in crate::shared) username: Option<String>,
    pub(in crate::shared) password: Option<Secret>,
    pub(in crate::shared) tls: Option<ClientTls>,
}

/// A connection, and what has to be polled as long as it is used.
pub(in crate::shared) struct Link {
    pub(in crate::shared) connection: MultiplexedConnection,
    pub(in crate::shared) driver: Driver,
}

pub(in crate::shared) type Driver = Pin<Box<dyn Future<Output = ()> + Send>>;

/// From the look-up of the name to the answer to the greeting.
const CONNECT: Duration = Duration::from_secs(2);

/// The addresses of a host that are tried.
const ADDRESSES: usize = 4;

/// A peer that vanished without a word is found out by the system after so long without traffic.
const KEEPALIVE: Duration = Duration::from_secs(15);

/// Commands that wait to be written. Those who send them have deadlines.
const QUEUE: usize = 1024;

impl Manners {
    /// Connects. Messages that are not answers go to `push`, if there is one.
    pub(in crate::shared) async fn connect<P: AsyncPushSender>(
        &self,
        endpoint: &Endpoint,
        push: Option<P>,
    ) -> Result<Link, EngineError> {
        let mut info = RedisConnectionInfo::default().set_db(self.database.into());
        if let Some(password) = &self.password {
            info = info.set_password(password.expose());
        }
        if let Some(username) = &self.username {
            info = info.set_username(username);
        }
        let opened = timeout(CONNECT, self.open(endpoint, info, push));
        opened.await.map_err(|_late| EngineError::Late)?
    }

    /// Connects with a sentinel, which often has no password, and never databases.
    pub(super) async fn connect_sentinel(&self, endpoint: &Endpoint) -> Result<Link, EngineError> {
        let without = Self {
            database: 0,
            username: None,
            password: None,
            tls: self.tls.clone(),
        };
        let connected = without.connect(endpoint, NO_PUSH).await;
        match connected {
            Err(EngineError::Answer(_)) if self.password.is_some() => {
                let with = Self {
                    database: 0,
                    ..self.clone()
                };
                with.connect(endpoint, NO_PUSH).await
            }
            connected => connected,
        }
    }

    async fn open<P: AsyncPushSender>(
        &self,
        endpoint: &Endpoint,
        info: RedisConnectionInfo,
        push: Option<P>,
    ) -> Result<Link, EngineError> {
        let stream = self.stream(endpoint).await?;
        let info = info
            .set_protocol(ProtocolVersion::RESP3)
            .set_lib_name("wsgate", env!("CARGO_PKG_VERSION"));
        // Deadlines are those of the callers.
        let config = AsyncConnectionConfig::new()
            .set_response_timeout(None)
            .set_pipeline_buffer_size(QUEUE);
        let config = match push {
            Some(push) => config.set_push_sender(push),
            None => config,
        };
        let opened = MultiplexedConnection::new_with_config(&info, stream, config).await;
        let (connection, driver) = opened.map_err(|error| match error.kind() {
            ErrorKind::Io => EngineError::Lost,
            _ => error.into(),
        })?;
        Ok(Link {
            connection,
            driver: Box::pin(driver),
        })
    }

    async fn stream(&self, endpoint: &Endpoint) -> Result<Transport, EngineError> {
        let no_connection = |source| EngineError::Connect {
            endpoint: endpoint.clone(),
            source: Arc::new(source),
        };
        let stream = connect_tcp(endpoint).await.map_err(no_connection)?;
        let keepalive = TcpKeepalive::new()
            .with_time(KEEPALIVE)
            .with_interval(KEEPALIVE / 3);
        // Without it the probes find a dead peer out a little later.
        let _ = SockRef::from(&stream).set_tcp_keepalive(&keepalive);
        let stream = Transport::Tcp(stream);
        match &self.tls {
            None => Ok(stream),
            Some(tls) => {
                let secured = tls.secure(&endpoint.host, stream).await;
                secured.map_err(|source| EngineError::Tls {
                    endpoint: endpoint.clone(),
                    source: Arc::new(source),
                })
            }
        }
    }
}

/// For connections that only have answers.
pub(in crate::shared) const NO_PUSH: Option<NoPush> = None;

/// Takes no message.
pub(in crate::shared) struct NoPush;

impl AsyncPushSender for NoPush {
    fn send(&self, _: redis::PushInfo) -> Result<(), redis::aio::SendError> {
        Ok(())
    }
}

async fn connect_tcp(endpoint: &Endpoint) -> io::Result<TcpStream> {
    let found = lookup_host((endpoint.host.as_str(), endpoint.port)).await?;
    let none = io::Error::new(io::ErrorKind::NotFound, "the name has no address");
    let next = |_, error| ControlFlow::Continue(error);
    race(found.take(ADDRESSES), none, next).await
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::shared::engine_server::EngineServer;

    #[tokio::test]
    async fn a_password_opens_the_engine_and_is_in_no_error() {
        let Some(server) = EngineServer::with(&["--requirepass", "canary1"]) else {
            return;
        };
        let endpoint = Endpoint {
            host: "127.0.0.1".to_owned(),
            port: server.port,
        };
        let mut manners = Manners {
            database: 3,
            username: None,
            password: Some(Secret::new("canary1")),
            tls: None,
        };
        assert!(manners.connect(&endpoint, NO_PUSH).await.is_ok());
        assert!(manners.connect_sentinel(&endpoint).await.is_ok());
        for (wrong, code) in [
            (Some(Secret::new("canary2")), "WRONGPASS"),
            (None, "NOAUTH"),
        ] {
            manners.password = wrong;
            let refused = manners.connect(&endpoint, NO_PUSH).await;
            let error = refused.err().unwrap();
            let text = format!("{error} {error:?}");
            assert!(text.contains(code) && !text.contains("canary"), "{text}");
        }
    }
}
