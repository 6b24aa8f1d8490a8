//! Which process a command is for: where its admin interface is, and with which token.

use std::path::{Path, PathBuf};

use clap::Args;
use wsgate::config::{AdminToken, ListenAddress, admin_listener};

use crate::cli::error::{CommandError, REJECTED};
use crate::cli::interface::{
    Client, Interface, InterfaceAddress, InterfaceTls, Token, Trust, certificates,
};

/// The process that a command is for.
#[derive(Args, Debug)]
#[command(next_help_heading = "Which wsgate")]
pub(crate) struct Target {
    /// The settings file of the process, with the address and the token of its admin interface
    /// [default: /etc/wsgate/wsgate.toml]
    #[arg(long, value_name = "FILE", conflicts_with = "admin", global = true)]
    config: Option<PathBuf>,
    /// The admin interface of the process: http://127.0.0.1:9900, https://host:port or unix:/path,
    /// with the token of the variable WSGATE_ADMIN_TOKEN
    #[arg(long, value_name = "ADDRESS", value_parser = InterfaceAddress::parse, global = true)]
    admin: Option<InterfaceAddress>,
    /// Read the token from this file, which contains nothing else
    #[arg(long, value_name = "FILE", global = true)]
    token_file: Option<PathBuf>,
    /// With an admin interface that speaks TLS, trust the certificate authorities of this PEM file
    /// [default: those of the system; with --config the certificates of [admin.tls]]
    #[arg(long, value_name = "FILE", global = true)]
    admin_ca: Option<PathBuf>,
    /// Show it this certificate (PEM), where it asks for one
    #[arg(long, value_name = "FILE", requires = "admin_key", global = true)]
    admin_cert: Option<PathBuf>,
    /// The private key of --admin-cert (PEM)
    #[arg(long, value_name = "FILE", requires = "admin_cert", global = true)]
    admin_key: Option<PathBuf>,
}

/// Why a command does not know its process.
#[derive(Debug, thiserror::Error)]
enum TargetError {
    #[error("there is no {DEFAULT_FILE}, and neither --config nor --admin is given")]
    DefaultFileMissing,
    #[error("{} has no [admin], so its process takes no commands", .0.display())]
    AdminTableMissing(PathBuf),
    #[error("{} has port 0, so only the log has the real port", .0.display())]
    PortUnknown(PathBuf),
}

const ADMIN: Interface = Interface::Admin;

/// Where an installed wsgate has its settings.
const DEFAULT_FILE: &str = "/etc/wsgate/wsgate.toml";

impl Target {
    /// Finds out where it is; nothing is dialled yet.
    pub(crate) fn client(&self) -> Result<Client, CommandError> {
        let token = self.token_file.as_deref();
        let token = token
            .map(|file| Token::from_file(ADMIN, file))
            .transpose()?;
        let Some(address) = &self.admin else {
            return self.client_of_settings(token);
        };
        let token = token.map_or_else(|| Token::from_environment(ADMIN), Ok)?;
        let tls = self.tls(address, Trust::System)?;
        Ok(Client::new(address.clone(), tls, token))
    }

    fn client_of_settings(&self, token: Option<Token>) -> Result<Client, CommandError> {
        let file = match &self.config {
            Some(file) => file.as_path(),
            None if Path::new(DEFAULT_FILE).exists() => Path::new(DEFAULT_FILE),
            None => return Err(TargetError::DefaultFileMissing.into()),
        };
        let wanted = match token {
            Some(_) => AdminToken::Ignore,
            None => AdminToken::Read,
        };
        let admin = admin_listener(file, wanted)?;
        let admin = admin.ok_or_else(|| TargetError::AdminTableMissing(file.to_owned()))?;
        let address = match admin.address {
            ListenAddress::Tcp(address) if address.port() == 0 => {
                return Err(TargetError::PortUnknown(file.to_owned()).into());
            }
            ListenAddress::Tcp(address) => {
                InterfaceAddress::of_listener(address, admin.tls.is_some())
            }
            ListenAddress::Unix(path) => InterfaceAddress::Unix(path),
        };
        let settings = || Token::from_settings(ADMIN, file, admin.token.as_ref());
        let token = token.map_or_else(settings, Ok)?;
        let certificates = match admin.tls {
            Some(tls) => certificates(file, tls)?,
            None => Vec::new(),
        };
        let tls = self.tls(&address, Trust::These(certificates))?;
        Ok(Client::new(address, tls, token))
    }

    /// TLS for this address, if it is one with TLS.
    fn tls(
        &self,
        address: &InterfaceAddress,
        otherwise: Trust<'_>,
    ) -> Result<Option<InterfaceTls>, CommandError> {
        let Some(host) = address.tls_host() else {
            return Ok(None);
        };
        let trust = self
            .admin_ca
            .as_deref()
            .map_or(otherwise, Trust::Authorities);
        let identity = self.admin_cert.as_deref().zip(self.admin_key.as_deref());
        Ok(Some(InterfaceTls::new(host, trust, identity)?))
    }
}

impl From<TargetError> for CommandError {
    fn from(error: TargetError) -> Self {
        let help = match &error {
            TargetError::DefaultFileMissing => {
                "give its settings with --config FILE, or its address with --admin ADDRESS"
            }
            TargetError::AdminTableMissing(_) => {
                "add `[admin]` with `address = \"127.0.0.1:9900\"`, and reload the file (SIGHUP)"
            }
            TargetError::PortUnknown(_) => {
                "give the address of the log line `admin interface listening` with --admin ADDRESS"
            }
        };
        Self::new(error, REJECTED).with_help(Some(help))
    }
}
