//! `[acme.NAME]`: certificates that an authority is asked for (RFC 8555).

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use crate::config::values::{As, DirectoryUrl, FilePath};

/// A certificate that an authority issues by ACME, and that is renewed in time. `acme` in `[listen.tls]` names it.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[cfg_attr(feature = "server", derive(schemars::JsonSchema))]
#[cfg_attr(feature = "server", schemars(extend("required" = ["directory", "names"])))]
#[serde(default, deny_unknown_fields)]
pub struct AcmeSettings {
    /// The URL of the authority's directory, which begins with https://. An order agrees to the authority's terms of
    /// service.
    #[serde(with = "As::<DirectoryUrl>")]
    pub directory: String,
    /// The hosts that the certificate is for.
    pub names: Vec<String>,
    /// Where the authority may reach you, such as mailto:ops@example.com.
    pub contact: Vec<String>,
    /// The kind of certificate, of those that the authority has; "" is its default.
    pub profile: String,
    /// The folder of the account's key and of the certificates.
    #[serde(with = "As::<FilePath>")]
    pub state_dir: Option<PathBuf>,
    /// The file of the certificate authorities (PEM) that the directory is verified with; "" is those of the system.
    #[serde(with = "As::<FilePath>")]
    pub ca: Option<PathBuf>,
}

impl Default for AcmeSettings {
    fn default() -> Self {
        Self {
            directory: String::new(),
            names: Vec::new(),
            contact: Vec::new(),
            profile: String::new(),
            state_dir: Some(PathBuf::from("/var/lib/wsgate/acme")),
            ca: None,
        }
    }
}
