//! A certificate that an authority is asked for.

use std::path::PathBuf;
use std::sync::Arc;

use crate::tls::{ClientTls, OrderedCertificate};

/// A checked `[acme.NAME]`.
#[derive(Clone, Debug)]
pub(crate) struct AcmeOrder {
    /// The name of the table: a word that is safe as that of a folder.
    pub(crate) name: String,
    /// The URL of the directory.
    pub(crate) directory: String,
    /// In lower case; there is at least one.
    pub(crate) names: Vec<String>,
    pub(crate) contact: Vec<String>,
    pub(crate) profile: Option<String>,
    /// The folder of all tables that have this one.
    pub(crate) state_dir: PathBuf,
    /// TLS with the authority.
    pub(crate) tls: ClientTls,
    /// What the listeners show.
    pub(crate) certificate: Arc<OrderedCertificate>,
}

/// The same order, whatever has become of it.
impl PartialEq for AcmeOrder {
    fn eq(&self, other: &Self) -> bool {
        let Self {
            name,
            directory,
            names,
            contact,
            profile,
            state_dir,
            tls,
            certificate: _,
        } = self;
        *name == other.name
            && *directory == other.directory
            && *names == other.names
            && *contact == other.contact
            && *profile == other.profile
            && *state_dir == other.state_dir
            && *tls == other.tls
    }
}

impl Eq for AcmeOrder {}
