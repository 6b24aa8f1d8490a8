//! What would be ordered, and what there is: without a question to an authority.

use std::fmt;
use std::time::SystemTime;

use x509_cert::der::DateTime;

use super::state::{State, StateError, StoredCertificate};
use crate::config::{AcmeOrder, Config};
use crate::error_report::ErrorReport;

/// An order of the settings for a person, with what is stored of it.
pub struct Status {
    order: AcmeOrder,
    stored: Result<Option<StoredCertificate>, StateError>,
}

impl Status {
    /// Each order that a listener names.
    pub fn of_all(config: &Config) -> Vec<Self> {
        let orders = config.orders().cloned();
        let with_stored = orders.map(|order| Self {
            stored: State::of(&order).certificate(),
            order,
        });
        with_stored.collect()
    }

    /// The name of its table, `[acme.NAME]`.
    pub fn name(&self) -> &str {
        &self.order.name
    }

    /// Whether the certificate is ordered for this host.
    pub fn is_for(&self, host: &str) -> bool {
        let mut names = self.order.names.iter();
        names.any(|name| name.eq_ignore_ascii_case(host))
    }

    /// What a client gets of it from a program that starts now, as what follows its name in a sentence.
    pub fn shown(&self) -> String {
        match &self.stored {
            Ok(Some(stored)) if stored.is_of(&self.order) => {
                let expires = stored.certificate.facts().not_after;
                match expires < SystemTime::now() {
                    true => format!("until {}, and ordered anew at the start", date(expires)),
                    false => format!("until {}", date(expires)),
                }
            }
            Ok(Some(_)) => "by other settings, and ordered anew at the start".to_owned(),
            Ok(None) => "ordered at the start".to_owned(),
            Err(error) => ErrorReport(error).to_string(),
        }
    }

    fn stored(&self) -> String {
        match &self.stored {
            Ok(None) => "nothing: it is ordered at the start".to_owned(),
            Ok(Some(stored)) => {
                let facts = stored.certificate.facts();
                let expires = date(facts.not_after);
                let until = match facts.not_after < SystemTime::now() {
                    true => format!("expired {expires}"),
                    false => format!("expires {expires}"),
                };
                match stored.is_of(&self.order) {
                    true => until,
                    false => format!("{until}, and by other settings: it is ordered anew"),
                }
            }
            Err(error) => ErrorReport(error).to_string(),
        }
    }
}

/// A few lines, in the form of [`Config::summary`].
impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let order = &self.order;
        writeln!(f, "\nacme {}", order.name)?;
        writeln!(f, "  names      {}", order.names.join(", "))?;
        writeln!(f, "  directory  {}", order.directory)?;
        if let Some(profile) = &order.profile {
            writeln!(f, "  profile    {profile}")?;
        }
        writeln!(f, "  folder     {}", State::of(order).folder().display())?;
        writeln!(f, "  stored     {}", self.stored())
    }
}

/// The key stays out.
impl fmt::Debug for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Status")
            .field("order", &self.order)
            .finish_non_exhaustive()
    }
}

/// A time as RFC 3339 has it; years beyond 9999 are that year.
pub(super) fn date(time: SystemTime) -> String {
    let time = DateTime::from_system_time(time).unwrap_or(DateTime::INFINITY);
    time.to_string()
}
