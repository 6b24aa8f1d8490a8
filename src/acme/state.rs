//! What a restart has to keep: the account and the certificate, in a folder of their order.

use std::fs::{self, DirBuilder, File, OpenOptions, Permissions, TryLockError};
use std::io::{self, Read, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::plan::Lifetime;
use crate::config::AcmeOrder;
use crate::tls::{ServerCertificate, TlsError};

/// The folder of an order.
#[derive(Debug)]
pub(super) struct State {
    folder: PathBuf,
    /// What its certificate is called.
    title: String,
}

/// An account with an authority.
#[derive(Deserialize, Serialize)]
pub(super) struct StoredAccount {
    /// The directory of the authority.
    pub(super) directory: String,
    /// What the authority was last told.
    pub(super) contact: Vec<String>,
    /// Of instant-acme, with the private key.
    pub(super) credentials: Value,
}

/// A certificate, and what it was ordered by.
#[derive(Clone)]
pub(super) struct StoredCertificate {
    pub(super) certificate: ServerCertificate,
    directory: String,
    profile: Option<String>,
    /// When it came, by the clock of this machine.
    pub(super) since: SystemTime,
}

/// A certificate with its key that is to be stored: both in one file, so that they are replaced at once.
pub(super) struct NewCertificate {
    contents: String,
    title: String,
}

/// Holds off other processes as long as it lives.
#[derive(Debug)]
pub(super) struct Lock {
    _file: File,
}

/// Why the state of an order cannot be kept, or not be read.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StateError {
    /// The folder, or a file in it.
    #[error("{path} cannot be written")]
    Write {
        /// Which one.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// A file in the folder.
    #[error("{path} cannot be read")]
    Read {
        /// Which one.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// A file that somebody has changed.
    #[error("{path} is not what wsgate has written")]
    Broken {
        /// Which one.
        path: PathBuf,
        /// Why.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
}

/// The file in which the order `[acme.NAME]` has its certificate, its chain and the private key (PEM).
pub fn certificate_file(state_dir: &Path, name: &str) -> PathBuf {
    state_dir.join(name).join(CERTIFICATE)
}

const ACCOUNT: &str = "account.json";
const CERTIFICATE: &str = "certificate.pem";
const LOCK: &str = "lock";

/// The most that a file is read of.
const MOST: u64 = 1024 * 1024;

impl State {
    /// Opens the folder of an order, and makes it if it is not there.
    ///
    /// # Errors
    /// [`StateError`] if nothing can be written there.
    pub(super) fn open(order: &AcmeOrder) -> Result<Self, StateError> {
        let state = Self::of(order);
        let folder = &state.folder;
        let opened = (DirBuilder::new().recursive(true).mode(0o700).create(folder))
            .and_then(|()| fs::set_permissions(folder, Permissions::from_mode(0o700)));
        opened.map_err(|source| write_error(folder, source))?;
        // Another process that has the lock writes there already, and would find our file.
        if let Some(_lock) = state.lock()? {
            let probe = state.folder.join(".probe");
            state.write(&probe, b"")?;
            fs::remove_file(&probe).map_err(|source| write_error(&probe, source))?;
        }
        Ok(state)
    }

    /// The folder of an order, whether or not it is there.
    pub(super) fn of(order: &AcmeOrder) -> Self {
        Self {
            folder: order.state_dir.join(&order.name),
            title: title(order),
        }
    }

    pub(super) fn folder(&self) -> &Path {
        &self.folder
    }

    /// Holds off other processes; none if one of them is first.
    pub(super) fn lock(&self) -> Result<Option<Lock>, StateError> {
        let path = self.folder.join(LOCK);
        let mut options = OpenOptions::new();
        options.write(true).create(true).truncate(false).mode(0o600);
        let file = options
            .open(&path)
            .map_err(|source| write_error(&path, source))?;
        match file.try_lock() {
            Ok(()) => Ok(Some(Lock { _file: file })),
            Err(TryLockError::WouldBlock) => Ok(None),
            Err(TryLockError::Error(source)) => Err(write_error(&path, source)),
        }
    }

    pub(super) fn account(&self) -> Result<Option<StoredAccount>, StateError> {
        let path = self.folder.join(ACCOUNT);
        let Some((contents, _)) = read(&path)? else {
            return Ok(None);
        };
        let account = serde_json::from_slice(&contents);
        account.map(Some).map_err(|error| broken(&path, error))
    }

    pub(super) fn store_account(&self, account: &StoredAccount) -> Result<(), StateError> {
        let path = self.folder.join(ACCOUNT);
        let contents = serde_json::to_vec_pretty(account).map_err(|error| broken(&path, error))?;
        self.write(&path, &contents)
    }

    /// The account is moved away: an authority that does not know it may come back from a backup.
    pub(super) fn forget_account(&self) -> Result<(), StateError> {
        let path = self.folder.join(ACCOUNT);
        let moved = fs::rename(&path, self.folder.join("account.unknown.json"));
        moved.map_err(|source| write_error(&path, source))
    }

    pub(super) fn certificate(&self) -> Result<Option<StoredCertificate>, StateError> {
        let path = self.folder.join(CERTIFICATE);
        let Some((contents, since)) = read(&path)? else {
            return Ok(None);
        };
        let certificate = StoredCertificate::parse(&self.title, &contents, since);
        certificate.map(Some).map_err(|error| broken(&path, error))
    }

    pub(super) fn store_certificate(&self, new: &NewCertificate) -> Result<(), StateError> {
        self.write(&self.folder.join(CERTIFICATE), new.contents.as_bytes())
    }

    /// A reader gets the old contents or the new ones, also after a loss of power.
    fn write(&self, path: &Path, contents: &[u8]) -> Result<(), StateError> {
        let new = path.with_extension("new");
        let write = || {
            match fs::remove_file(&new) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
                _ => {}
            }
            let mut options = OpenOptions::new();
            let mut file = options
                .write(true)
                .create_new(true)
                .mode(0o600)
                .open(&new)?;
            file.write_all(contents)?;
            file.sync_all()?;
            fs::rename(&new, path)?;
            File::open(&self.folder)?.sync_all()
        };
        write().map_err(|source| write_error(path, source))
    }
}

impl NewCertificate {
    /// That of an order; the chain and the key are PEM.
    pub(super) fn new(order: &AcmeOrder, chain: &str, key: &str) -> Self {
        let profile = order.profile.as_deref().unwrap_or_default();
        let directory = &order.directory;
        let (key, chain) = (key.trim(), chain.trim());
        Self {
            contents: format!("{DIRECTORY}{directory}\n{PROFILE}{profile}\n{key}\n{chain}\n"),
            title: title(order),
        }
    }

    /// The certificate as it is stored, since a time.
    ///
    /// # Errors
    /// [`TlsError`] if the chain or the key cannot be used.
    pub(super) fn read(&self, since: SystemTime) -> Result<StoredCertificate, TlsError> {
        StoredCertificate::parse(&self.title, self.contents.as_bytes(), since)
    }
}

impl StoredCertificate {
    /// The lines before the first `-----BEGIN` are text for people, and for us (RFC 7468 §5.2).
    fn parse(title: &str, contents: &[u8], since: SystemTime) -> Result<Self, TlsError> {
        let text = String::from_utf8_lossy(contents);
        let line = |title| text.lines().find_map(|line| line.strip_prefix(title));
        let owned = |value: &str| value.trim().to_owned();
        Ok(Self {
            certificate: ServerCertificate::new(title, contents, contents)?,
            directory: line(DIRECTORY).map(owned).unwrap_or_default(),
            profile: line(PROFILE)
                .map(owned)
                .filter(|profile| !profile.is_empty()),
            since,
        })
    }

    /// Whether this is what the order asks for.
    pub(super) fn is_of(&self, order: &AcmeOrder) -> bool {
        let (mut has, mut wanted) = (self.certificate.facts().names.clone(), order.names.clone());
        has.sort();
        wanted.sort();
        has == wanted && self.directory == order.directory && self.profile == order.profile
    }

    /// When it holds.
    pub(super) fn lifetime(&self) -> Lifetime {
        let facts = self.certificate.facts();
        Lifetime {
            not_before: facts.not_before,
            not_after: facts.not_after,
            since: self.since,
        }
    }

    /// Whether the authority of the order has issued it.
    pub(super) fn is_from(&self, order: &AcmeOrder) -> bool {
        self.directory == order.directory
    }
}

impl StateError {
    /// What a person can do about it.
    pub fn help(&self) -> &'static str {
        match self {
            Self::Write { .. } | Self::Read { .. } => {
                "make `state_dir` a folder that belongs to the user of this process; \
                 under systemd, StateDirectory=wsgate makes /var/lib/wsgate"
            }
            Self::Broken { .. } => {
                "restore the file from a backup, or remove it: wsgate then orders it anew"
            }
        }
    }
}

fn title(order: &AcmeOrder) -> String {
    format!("[acme.{}]", order.name)
}

const DIRECTORY: &str = "Directory: ";
const PROFILE: &str = "Profile: ";

/// The contents of a file and when they came; none if there is no file.
fn read(path: &Path) -> Result<Option<(Vec<u8>, SystemTime)>, StateError> {
    let read = || {
        let file = File::open(path)?;
        let since = file.metadata()?.modified()?;
        let mut contents = Vec::new();
        file.take(MOST).read_to_end(&mut contents)?;
        Ok((contents, since))
    };
    match read() {
        Ok(read) => Ok(Some(read)),
        Err(source) if io::Error::kind(&source) == io::ErrorKind::NotFound => Ok(None),
        Err(source) => Err(StateError::Read {
            path: path.to_owned(),
            source,
        }),
    }
}

fn write_error(path: &Path, source: io::Error) -> StateError {
    StateError::Write {
        path: path.to_owned(),
        source,
    }
}

fn broken(path: &Path, error: impl std::error::Error + Send + Sync + 'static) -> StateError {
    StateError::Broken {
        path: path.to_owned(),
        source: Box::new(error),
    }
}

#[cfg(test)]
mod tests;
