//! An authority, and what it is asked for: accounts, certificates, and when to renew them.

use std::collections::HashSet;
use std::future::Future;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use instant_acme::{
    Account, AuthorizationStatus, CertificateIdentifier, ChallengeType, Error, Identifier,
    NewAccount, NewOrder, Order, OrderStatus, RetryPolicy,
};
use tokio::task::spawn_blocking;
use tokio::time::timeout;
use tokio_rustls::rustls::pki_types::Der;

use super::client::DirectoryClient;
use super::error::OrderError;
use super::made;
use super::plan::Window;
use super::state::{State, StateError, StoredAccount, StoredCertificate};
use crate::config::AcmeOrder;
use crate::tls::Challenges;

/// Who issues certificates.
pub(super) trait Authority: Send + Sync + 'static {
    /// Orders a certificate in the place of an earlier one: the chain and the key, both in PEM.
    fn order(
        &self,
        replaced: Option<&StoredCertificate>,
    ) -> impl Future<Output = Result<Issued, OrderError>> + Send;

    /// When this certificate is to be renewed, and when to ask again; none if the authority does not say that.
    fn renewal(
        &self,
        certificate: &StoredCertificate,
    ) -> impl Future<Output = Result<Option<(Window, Duration)>, OrderError>> + Send;

    /// When the authority wants to be asked again, if it has said so since this was last called.
    fn take_retry_after(&self) -> Option<SystemTime>;
}

/// A new certificate.
pub(super) struct Issued {
    pub(super) chain: String,
    pub(super) key: String,
}

/// An authority that speaks ACME (RFC 8555).
pub(super) struct AcmeAuthority {
    order: AcmeOrder,
    state: Arc<State>,
    client: DirectoryClient,
}

/// From the account to the certificate.
const WHOLE: Duration = Duration::from_secs(10 * 60);

/// Orders that begin anew at once after rejected nonces. Each request is sent three times before.
const REPEATED: usize = 3;

/// How long an authority may take for its proofs, and then for the certificate.
const POLLS: RetryPolicy = RetryPolicy::new()
    .initial_delay(Duration::from_millis(250))
    .backoff(1.6)
    .timeout(Duration::from_secs(4 * 60));

impl AcmeAuthority {
    pub(super) fn new(order: AcmeOrder, state: Arc<State>) -> Self {
        let client = DirectoryClient::new(order.tls.clone());
        Self {
            order,
            state,
            client,
        }
    }

    /// The account of before, or a new one.
    async fn account(&self) -> Result<Account, OrderError> {
        let stored = self.stored_account().await?;
        let Some(stored) = stored.filter(|stored| stored.directory == self.order.directory) else {
            return self.new_account().await;
        };
        let Ok(credentials) = serde_json::from_value(stored.credentials.clone()) else {
            return self.new_account().await;
        };
        let builder = Account::builder_with_http(Box::new(self.client.clone()));
        let account = builder.from_credentials(credentials).await;
        let account = account.map_err(OrderError::Account)?;
        if stored.contact != self.order.contact {
            let updated = account.update_contacts(&self.contact()).await;
            updated.map_err(OrderError::Account)?;
            let contact = self.order.contact.clone();
            self.store(StoredAccount { contact, ..stored }).await?;
        }
        Ok(account)
    }

    async fn new_account(&self) -> Result<Account, OrderError> {
        let new = NewAccount {
            contact: &self.contact(),
            terms_of_service_agreed: true,
            only_return_existing: false,
        };
        let builder = Account::builder_with_http(Box::new(self.client.clone()));
        let directory = self.order.directory.clone();
        let created = builder.create(&new, directory.clone(), None).await;
        let (account, credentials) = created.map_err(OrderError::Account)?;
        let credentials = serde_json::to_value(credentials);
        self.store(StoredAccount {
            directory,
            contact: self.order.contact.clone(),
            credentials: credentials.map_err(|error| OrderError::Account(error.into()))?,
        })
        .await?;
        Ok(account)
    }

    fn contact(&self) -> Vec<&str> {
        self.order.contact.iter().map(String::as_str).collect()
    }

    /// A file that somebody has changed is none.
    async fn stored_account(&self) -> Result<Option<StoredAccount>, StateError> {
        let stored = self.with_state(State::account).await;
        match stored {
            Err(StateError::Broken { .. }) => Ok(None),
            other => other,
        }
    }

    async fn store(&self, account: StoredAccount) -> Result<(), StateError> {
        self.with_state(move |state| state.store_account(&account))
            .await
    }

    async fn with_state<T: Send + 'static>(
        &self,
        work: impl FnOnce(&State) -> Result<T, StateError> + Send + 'static,
    ) -> Result<T, StateError> {
        blocking(&self.state, work).await
    }

    async fn issue(&self, replaced: Option<&StoredCertificate>) -> Result<Issued, OrderError> {
        let account = self.account().await?;
        let mut order = match self.new_order(&account, replaced).await {
            Err(error) if error.problem() == Some("accountDoesNotExist") => {
                self.with_state(State::forget_account).await?;
                let account = self.new_account().await?;
                self.new_order(&account, None).await?
            }
            other => other?,
        };
        self.prove(&mut order).await?;
        let (request, key) = made::request(&self.order.names)?;
        let finalized = order.finalize_csr(request.der()).await;
        finalized.map_err(OrderError::Issue)?;
        let chain = order.poll_certificate(&POLLS).await;
        Ok(Issued {
            chain: chain.map_err(OrderError::Issue)?,
            key,
        })
    }

    async fn new_order(
        &self,
        account: &Account,
        replaced: Option<&StoredCertificate>,
    ) -> Result<Order, OrderError> {
        let names = self.order.names.iter().cloned();
        let names: Vec<_> = names.map(Identifier::Dns).collect();
        let mut new = NewOrder::new(&names);
        if let Some(profile) = &self.order.profile {
            new = new.profile(profile);
        }
        let replaced = replaced.filter(|replaced| replaced.is_from(&self.order));
        let replaced = replaced.and_then(|replaced| replaced.certificate.renewal_identifier());
        if let Some((authority, serial)) = &replaced {
            let replaced = identifier(authority, serial);
            let replacing = NewOrder::new(&names).replaces(replaced);
            let replacing = match &self.order.profile {
                Some(profile) => replacing.profile(profile),
                None => replacing,
            };
            match account.new_order(&replacing).await {
                Ok(order) => return Ok(order),
                // An order without it is as good: it is a favour to the authority (RFC 9773 §5).
                Err(Error::Unsupported(_) | Error::Other(_)) => {}
                Err(Error::Api(problem)) if is_about_replacing(problem.r#type.as_deref()) => {}
                Err(error) => return Err(OrderError::Order(error)),
            }
        }
        account.new_order(&new).await.map_err(OrderError::Order)
    }

    /// Proves every name that the authority has not verified already.
    async fn prove(&self, order: &mut Order) -> Result<(), OrderError> {
        let mut proofs = Proofs::new(self.order.certificate.challenges());
        let mut authorizations = order.authorizations();
        while let Some(authorization) = authorizations.next().await {
            let mut authorization = authorization.map_err(OrderError::Authorization)?;
            if authorization.status == AuthorizationStatus::Valid {
                continue;
            }
            let name = authorization.identifier().to_string();
            let challenge = authorization.challenge(ChallengeType::TlsAlpn01);
            let mut challenge = challenge.ok_or_else(|| OrderError::NoChallenge(name.clone()))?;
            proofs.add(name.clone(), &challenge.key_authorization())?;
            challenge.set_ready().await.map_err(|error| match error {
                Error::Api(problem) => OrderError::NotProven {
                    name,
                    source: Some(problem),
                },
                other => OrderError::Authorization(other),
            })?;
        }
        match order.poll_ready(&POLLS).await {
            Ok(OrderStatus::Ready) => Ok(()),
            Ok(status) => Err(why_not(order).await.unwrap_or(OrderError::Ended(status))),
            Err(error) => Err(match why_not(order).await {
                Some(error) => error,
                None => OrderError::Verification(error),
            }),
        }
    }
}

impl Authority for AcmeAuthority {
    async fn order(&self, replaced: Option<&StoredCertificate>) -> Result<Issued, OrderError> {
        let issue = async {
            let mut repeated = 0;
            loop {
                match self.issue(replaced).await {
                    // An authority may reject any nonce (RFC 8555 §6.5): no reason for a long pause.
                    Err(error) if error.problem() == Some("badNonce") && repeated < REPEATED => {
                        repeated += 1;
                    }
                    issued => return issued,
                }
            }
        };
        let issued = timeout(WHOLE, issue).await;
        issued.unwrap_or(Err(OrderError::Late { limit: WHOLE }))
    }

    async fn renewal(
        &self,
        certificate: &StoredCertificate,
    ) -> Result<Option<(Window, Duration)>, OrderError> {
        let stored = self.stored_account().await?;
        let stored = stored.filter(|stored| stored.directory == self.order.directory);
        let credentials = stored.and_then(|stored| serde_json::from_value(stored.credentials).ok());
        let named = certificate.certificate.renewal_identifier();
        let (Some(credentials), Some((authority, serial))) = (credentials, named) else {
            return Ok(None);
        };
        let asked = async {
            let builder = Account::builder_with_http(Box::new(self.client.clone()));
            let account = builder.from_credentials(credentials).await?;
            account.renewal_info(&identifier(&authority, &serial)).await
        };
        match asked.await {
            Ok((info, pause)) => {
                let at = |seconds: i64| {
                    let since = Duration::from_secs(seconds.try_into().unwrap_or_default());
                    SystemTime::UNIX_EPOCH + since
                };
                let window = info.suggested_window;
                let window = Window {
                    start: at(window.start.unix_timestamp()),
                    end: at(window.end.unix_timestamp()),
                };
                Ok(Some((window, pause)))
            }
            Err(Error::Unsupported(_)) => Ok(None),
            Err(error) => Err(OrderError::Renewal(error)),
        }
    }

    fn take_retry_after(&self) -> Option<SystemTime> {
        self.client.take_retry_after()
    }
}

/// The proofs of an order, which end with it.
struct Proofs<'c> {
    challenges: &'c Challenges,
    names: HashSet<String>,
}

impl<'c> Proofs<'c> {
    fn new(challenges: &'c Challenges) -> Self {
        Self {
            challenges,
            names: HashSet::new(),
        }
    }

    fn add(
        &mut self,
        name: String,
        proof: &instant_acme::KeyAuthorization,
    ) -> Result<(), OrderError> {
        made::prove(&name, proof, self.challenges)?;
        self.names.insert(name);
        Ok(())
    }
}

impl Drop for Proofs<'_> {
    fn drop(&mut self) {
        for name in &self.names {
            self.challenges.remove(name);
        }
    }
}

/// Works with the files of an order on another thread.
pub(super) async fn blocking<T: Send + 'static>(
    state: &Arc<State>,
    work: impl FnOnce(&State) -> Result<T, StateError> + Send + 'static,
) -> Result<T, StateError> {
    let state = Arc::clone(state);
    let folder = state.folder().to_owned();
    let done = spawn_blocking(move || work(&state)).await;
    done.unwrap_or_else(|panicked| {
        Err(StateError::Write {
            path: folder,
            source: std::io::Error::other(panicked),
        })
    })
}

fn identifier<'a>(authority: &'a [u8], serial: &'a [u8]) -> CertificateIdentifier<'a> {
    CertificateIdentifier::new(Der::from_slice(authority), Der::from_slice(serial))
}

/// Whether an authority refuses an order for the certificate that it replaces (RFC 9773 §5).
fn is_about_replacing(kind: Option<&str>) -> bool {
    let kinds = ["alreadyReplaced", "malformed", "unauthorized", "notFound"];
    kind.is_some_and(|kind| kinds.iter().any(|known| kind.ends_with(known)))
}

/// The name that the authority could not verify, and what it says about it.
async fn why_not(order: &mut Order) -> Option<OrderError> {
    let mut authorizations = order.authorizations();
    while let Some(authorization) = authorizations.next().await {
        let mut authorization = authorization.ok()?;
        authorization.refresh().await.ok()?;
        if authorization.status == AuthorizationStatus::Invalid {
            let challenges = authorization.challenges.iter();
            let source = challenges
                .filter_map(|challenge| challenge.error.clone())
                .next();
            let name = authorization.identifier().to_string();
            return Some(OrderError::NotProven { name, source });
        }
    }
    None
}
