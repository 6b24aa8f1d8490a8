//! Where a command publishes, and with which token.

use std::path::{Path, PathBuf};

use clap::Args;
use wsgate::config::{AdminToken, ListenAddress, Publish, PublishToken, publish_listener};

use crate::cli::error::{CommandError, REJECTED};
use crate::cli::interface::{
    Client, Interface, InterfaceAddress, InterfaceTls, Token, Trust, certificates,
};

/// The process that a command publishes through.
#[derive(Args, Debug)]
#[command(next_help_heading = "Which wsgate")]
pub(super) struct PublishTarget {
    /// The settings file of the process, with the address of its publish interface and the first of
    /// its tokens that may do this [default: /etc/wsgate/wsgate.toml]
    #[arg(long, value_name = "FILE", conflicts_with = "url")]
    config: Option<PathBuf>,
    /// The publish interface of the process: http://127.0.0.1:9901, https://host:port or unix:/path,
    /// with the token of the variable WSGATE_PUBLISH_TOKEN
    #[arg(long, value_name = "ADDRESS", value_parser = InterfaceAddress::parse)]
    url: Option<InterfaceAddress>,
    /// Read the token from this file, which contains nothing else
    #[arg(long, value_name = "FILE")]
    token_file: Option<PathBuf>,
    /// With an interface that speaks TLS, trust the certificate authorities of this PEM file
    /// [default: those of the system; with --config the certificates of [publish.tls]]
    #[arg(long, value_name = "FILE")]
    ca: Option<PathBuf>,
    /// Show it this certificate (PEM), where it asks for one
    #[arg(long, value_name = "FILE", requires = "key")]
    cert: Option<PathBuf>,
    /// The private key of --cert (PEM)
    #[arg(long, value_name = "FILE", requires = "cert")]
    key: Option<PathBuf>,
}

/// Why a command cannot publish.
#[derive(Debug, thiserror::Error)]
enum TargetError {
    #[error("there is no {DEFAULT_FILE}, and neither --config nor --url is given")]
    DefaultFileMissing,
    #[error("{} has no [publish], so nothing is published through its process", .0.display())]
    TableMissing(PathBuf),
    #[error("{} has port 0 in [publish], so only the log has the real port", .0.display())]
    PortUnknown(PathBuf),
    #[error("no token of [publish] in {} may do this", .0.display())]
    NotAllowed(PathBuf),
}

/// Where an installed wsgate has its settings.
const DEFAULT_FILE: &str = "/etc/wsgate/wsgate.toml";

const PUBLISH: Interface = Interface::Publish;

impl PublishTarget {
    /// Finds out where it is; `may` is whether a token of the settings allows what is wanted. Nothing is dialled yet.
    pub(super) fn client(
        &self,
        may: impl Fn(&PublishToken) -> bool,
    ) -> Result<Client, CommandError> {
        let file = self.token_file.as_deref();
        let token = file
            .map(|file| Token::from_file(PUBLISH, file))
            .transpose()?;
        let Some(address) = &self.url else {
            return self.client_of_settings(token, may);
        };
        let token = token.map_or_else(|| Token::from_environment(PUBLISH), Ok)?;
        let tls = self.tls(address, Trust::System)?;
        Ok(Client::new(address.clone(), tls, token))
    }

    fn client_of_settings(
        &self,
        token: Option<Token>,
        may: impl Fn(&PublishToken) -> bool,
    ) -> Result<Client, CommandError> {
        let file = match &self.config {
            Some(file) => file.as_path(),
            None if Path::new(DEFAULT_FILE).exists() => Path::new(DEFAULT_FILE),
            None => return Err(TargetError::DefaultFileMissing.into()),
        };
        let wanted = match token {
            Some(_) => AdminToken::Ignore,
            None => AdminToken::Read,
        };
        let publish = publish_listener(file, wanted)?;
        let publish = publish.ok_or_else(|| TargetError::TableMissing(file.to_owned()))?;
        let token = match token {
            Some(token) => token,
            None => token_of(file, &publish, may)?,
        };
        let address = match publish.address {
            ListenAddress::Tcp(address) if address.port() == 0 => {
                return Err(TargetError::PortUnknown(file.to_owned()).into());
            }
            ListenAddress::Tcp(address) => {
                InterfaceAddress::of_listener(address, publish.tls.is_some())
            }
            ListenAddress::Unix(path) => InterfaceAddress::Unix(path),
        };
        let certificates = match publish.tls {
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
        let trust = self.ca.as_deref().map_or(otherwise, Trust::Authorities);
        let identity = self.cert.as_deref().zip(self.key.as_deref());
        Ok(Some(InterfaceTls::new(host, trust, identity)?))
    }
}

/// The first token of the settings that may do what is wanted.
fn token_of(
    file: &Path,
    publish: &Publish,
    may: impl Fn(&PublishToken) -> bool,
) -> Result<Token, CommandError> {
    let token = publish.tokens.iter().find(|token| may(token));
    let token = token.ok_or_else(|| TargetError::NotAllowed(file.to_owned()))?;
    Ok(Token::from_settings(PUBLISH, file, Some(&token.token))?)
}

impl From<TargetError> for CommandError {
    fn from(error: TargetError) -> Self {
        let help = match &error {
            TargetError::DefaultFileMissing => {
                "give its settings with --config FILE, or its address with --url ADDRESS"
            }
            TargetError::TableMissing(_) => {
                "add `[publish]` with `address = \"127.0.0.1:9901\"` and `tokens`, and reload the file (SIGHUP)"
            }
            TargetError::PortUnknown(_) => {
                "give the address of the log line `publish interface listening` with --url ADDRESS"
            }
            TargetError::NotAllowed(_) => {
                "a token needs the channel in its `channels`, or `direct = true` for sessions and subjects"
            }
        };
        Self::new(error, REJECTED).with_help(Some(help))
    }
}
