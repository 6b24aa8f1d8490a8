//! Which interface of a process.

use std::fmt;

/// An interface of a process, in the words of commands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Interface {
    Admin,
    Publish,
}

impl Interface {
    /// Its table in the settings.
    pub(crate) fn table(self) -> &'static str {
        match self {
            Self::Admin => "[admin]",
            Self::Publish => "[publish]",
        }
    }

    /// The table of its TLS.
    pub(crate) fn tls_table(self) -> &'static str {
        match self {
            Self::Admin => "[admin.tls]",
            Self::Publish => "[publish.tls]",
        }
    }

    /// The variable with its token.
    pub(crate) fn variable(self) -> &'static str {
        match self {
            Self::Admin => "WSGATE_ADMIN_TOKEN",
            Self::Publish => "WSGATE_PUBLISH_TOKEN",
        }
    }

    /// The option with the authorities of its certificate.
    pub(crate) fn ca_option(self) -> &'static str {
        match self {
            Self::Admin => "--admin-ca",
            Self::Publish => "--ca",
        }
    }
}

impl fmt::Display for Interface {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Admin => "admin interface",
            Self::Publish => "publish interface",
        })
    }
}
