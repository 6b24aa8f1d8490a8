//! The orders of the settings, each with what keeps it.

use std::convert::Infallible;
use std::fmt;
use std::sync::Arc;
use std::time::SystemTime;

use tokio::sync::Notify;

use super::authority::AcmeAuthority;
use super::keeper::{Chances, Keeper, stored};
use super::made;
use super::state::{State, StateError};
use crate::config::{AcmeOrder, Config};
use crate::error_report::ErrorReport;

/// An order of the settings, whose certificate its listeners show.
pub struct Order {
    name: String,
    keeper: Keeper<AcmeAuthority>,
}

/// Has a failed order tried again.
#[derive(Clone, Debug)]
pub struct TryAgain(Arc<Notify>);

impl Order {
    /// Opens each order of the settings that a listener names, and shows what is stored of it. Nothing is asked of an
    /// authority before [`Order::keep`].
    ///
    /// # Errors
    /// [`StateError`] if the folder of an order cannot be read and written.
    pub fn open_all(config: &Config) -> Result<Vec<Self>, StateError> {
        config.orders().map(Self::open).collect()
    }

    pub(crate) fn open(order: &AcmeOrder) -> Result<Self, StateError> {
        let state = Arc::new(State::open(order)?);
        let stored = stored(order, &state)?;
        if stored.is_none() {
            match made::placeholder(&order.names) {
                Ok(placeholder) => order.certificate.show_placeholder(placeholder),
                Err(error) => {
                    let acme = &*order.name;
                    tracing::error!(acme, error = %ErrorReport(&error), "no certificate to show");
                }
            }
        }
        let authority = AcmeAuthority::new(order.clone(), Arc::clone(&state));
        let chances = Chances {
            now: Box::new(SystemTime::now),
            random: Box::new(rand::random),
        };
        Ok(Self {
            name: order.name.clone(),
            keeper: Keeper::new(order.clone(), state, authority, chances, stored),
        })
    }

    /// The name of its table, `[acme.NAME]`.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Has it tried again at once if it fails, as long as the authority did not ask for a pause.
    pub fn try_again(&self) -> TryAgain {
        TryAgain(self.keeper.try_again())
    }

    /// Orders the certificate if it is missing, and renews it in time, as long as this runs. An order that fails is a
    /// line of the log and a pause.
    pub async fn keep(self) -> Infallible {
        self.keeper.keep().await
    }
}

impl TryAgain {
    /// If the order is waiting after a failure, it is tried at once.
    pub fn now(&self) {
        self.0.notify_one();
    }
}

/// The account stays out.
impl fmt::Debug for Order {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Order")
            .field("name", &self.name)
            .finish_non_exhaustive()
    }
}
