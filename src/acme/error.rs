//! Why an order fails, and what a person can do about it.

use std::error::Error;
use std::time::Duration;

use instant_acme::{OrderStatus, Problem};

use super::state::StateError;
use crate::client::ClientError;
use crate::tls::TlsError;

/// Why there is no new certificate.
#[derive(Debug, thiserror::Error)]
pub(super) enum OrderError {
    #[error("the authority gives no account")]
    Account(#[source] instant_acme::Error),
    #[error("the authority does not take the order")]
    Order(#[source] instant_acme::Error),
    #[error("the authority does not say how to prove the names")]
    Authorization(#[source] instant_acme::Error),
    #[error("the authority offers no TLS-ALPN-01 for {0}")]
    NoChallenge(String),
    #[error("the authority could not verify {name}")]
    NotProven {
        name: String,
        #[source]
        source: Option<Problem>,
    },
    #[error("the order has ended as {0:?}")]
    Ended(OrderStatus),
    #[error("the authority has not verified the names")]
    Verification(#[source] instant_acme::Error),
    #[error("the authority does not issue the certificate")]
    Issue(#[source] instant_acme::Error),
    #[error("the certificate cannot be used")]
    Certificate(#[source] TlsError),
    #[error("a certificate or a request cannot be made")]
    Making(#[source] rcgen::Error),
    #[error("the authority says nothing about the renewal")]
    Renewal(#[source] instant_acme::Error),
    #[error(transparent)]
    State(#[from] StateError),
    #[error("there is no certificate after {} minutes", limit.as_secs() / 60)]
    Late { limit: Duration },
}

impl OrderError {
    /// The kind of a problem that the authority has named (RFC 8555 §6.7), without its namespace.
    pub(super) fn problem(&self) -> Option<&str> {
        let problem = match self {
            Self::Account(error)
            | Self::Order(error)
            | Self::Authorization(error)
            | Self::Verification(error)
            | Self::Issue(error)
            | Self::Renewal(error) => match error {
                instant_acme::Error::Api(problem) => problem,
                _ => return None,
            },
            Self::NotProven { source, .. } => source.as_ref()?,
            Self::NoChallenge(_)
            | Self::Ended(_)
            | Self::Certificate(_)
            | Self::Making(_)
            | Self::State(_)
            | Self::Late { .. } => return None,
        };
        let kind = problem.r#type.as_deref()?;
        Some(kind.rsplit(':').next().unwrap_or(kind))
    }

    /// What a person can do about it.
    pub(super) fn help(&self) -> &'static str {
        match (self, self.problem()) {
            (Self::State(error), _) => error.help(),
            (_, Some("rateLimited")) => {
                "wait: the authority has issued or refused too much; try new settings with its staging directory"
            }
            (_, Some("rejectedIdentifier" | "unsupportedIdentifier")) => {
                "the authority issues nothing for one of the names: see `names`"
            }
            (_, Some("caa")) => "a CAA record of the domain names other authorities: see the DNS",
            (_, Some("invalidContact" | "unsupportedContact")) => "see `contact`",
            (_, Some("invalidProfile")) => {
                "see `profile`: the authority lists its own in the directory"
            }
            (_, Some("externalAccountRequired")) => {
                "this authority wants accounts that are made elsewhere, which wsgate does not have: use another one"
            }
            (Self::Account(_), Some("unauthorized")) => {
                "the account is closed: remove account.json from the folder, and a new one is made"
            }
            (_, Some("userActionRequired")) => {
                "the authority has new terms of service: see its website, then remove account.json"
            }
            (Self::NotProven { .. } | Self::Verification(_), _) => {
                "the authority connects to port 443 of each name: see that its DNS leads here, that the port leads to \
                 a listener with this `acme`, and that nothing before it ends TLS"
            }
            (Self::NoChallenge(_), _) => {
                "wsgate proves names by TLS-ALPN-01 only: use an authority that has it"
            }
            _ if self.is_of_connection() => {
                "see that this machine reaches the directory, and that `ca` is right if the authority is your own"
            }
            _ => "see what the authority says; wsgate tries again",
        }
    }

    /// Whether the authority was not reached at all.
    fn is_of_connection(&self) -> bool {
        let mut cause: Option<&(dyn Error + 'static)> = Some(self);
        while let Some(error) = cause {
            // A transparent error has the source of what it shows.
            let shown = error.downcast_ref::<instant_acme::Error>();
            let is_of_client =
                |error: &(dyn Error + Send + Sync + 'static)| error.is::<ClientError>();
            if matches!(shown, Some(instant_acme::Error::Other(other)) if is_of_client(&**other)) {
                return true;
            }
            cause = error.source();
        }
        false
    }
}
