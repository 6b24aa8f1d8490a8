//! Why a server that is no upstream gives no answer.

use std::error::Error;
use std::io;
use std::time::Duration;

use crate::framing::FramingError;

/// Why there is no answer. Neither the query of the URL nor a header is in it.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ClientError {
    #[error("this is no URL of a server")]
    Url,
    #[error("{host} is to be asked over https://")]
    NotTls { host: String },
    #[error("{host} cannot be verified: there are no certificate authorities")]
    NoTls { host: String },
    #[error("{host} has no address")]
    Resolve {
        host: String,
        #[source]
        source: Option<io::Error>,
    },
    #[error("no connection to {host} port {port}")]
    Connect {
        host: String,
        port: u16,
        #[source]
        source: io::Error,
    },
    #[error("no TLS with {host}")]
    Tls {
        host: String,
        #[source]
        source: io::Error,
    },
    #[error("the connection failed")]
    Http(#[source] hyper::Error),
    #[error("the body of the answer has no certain end")]
    Framing(#[from] FramingError),
    #[error("the answer is longer than {limit} bytes")]
    TooLong { limit: usize },
    #[error("the answer cannot be read")]
    Body(#[source] Box<dyn Error + Send + Sync>),
    #[error("there is no whole answer after {limit:?}")]
    Late { limit: Duration },
}
