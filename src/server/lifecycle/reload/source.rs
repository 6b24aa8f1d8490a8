//! The file of the settings, watched for changes.
//!
//! It is read, checked and its errors are written out on other threads: this one has signals to handle.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use tokio::task::{JoinHandle, spawn_blocking};
use tokio::time::{sleep, timeout};

use super::rejected::Rejected;
use crate::config::{Config, FileError, read_again};

/// The file, and what it was when it was last read for its settings.
pub(crate) struct Source {
    file: PathBuf,
    interval: Duration,
    read: Option<Fingerprint>,
    /// What the last look found, if that was different.
    found: Option<Fingerprint>,
    /// A look that was not waited for to its end.
    under_way: Option<JoinHandle<Contents>>,
}

type Contents = Result<Vec<u8>, FileError>;

/// A state of the file: a hash of its content, whatever links lead to it, or why it cannot be read.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Fingerprint {
    Content(u64),
    Unreadable(String),
}

/// How often the file is looked at.
pub(crate) const POLL_INTERVAL: Duration = Duration::from_secs(2);

/// A file system that takes longer is taken for dead.
const READ_TIMEOUT: Duration = Duration::from_secs(10);

impl Source {
    pub(crate) fn new(file: &Path, interval: Duration) -> Self {
        Self {
            file: file.to_owned(),
            interval,
            read: None,
            found: None,
            under_way: None,
        }
    }

    /// Reads the file, and remembers its state. Cancel safe.
    pub(crate) async fn load(&mut self) -> Result<Config, Rejected> {
        let contents = self.contents().await;
        let fingerprint = Fingerprint::of(&contents);
        let settings = self.settings(contents).await;
        self.read = Some(fingerprint);
        self.found = None;
        settings
    }

    /// Waits until the file has changed since it was last read, and reads it. Cancel safe.
    ///
    /// It has to be the same at two looks: a file that is written in place is incomplete for a moment, and
    /// half a file can be valid and have fewer routes.
    pub(crate) async fn changed(&mut self) -> Result<Config, Rejected> {
        loop {
            sleep(self.interval).await;
            let contents = self.contents().await;
            let fingerprint = Fingerprint::of(&contents);
            if self.read.as_ref() == Some(&fingerprint) {
                self.found = None;
            } else if self.found.as_ref() == Some(&fingerprint) {
                let settings = self.settings(contents).await;
                self.read = self.found.take();
                return settings;
            } else {
                self.found = Some(fingerprint);
            }
        }
    }

    async fn contents(&mut self) -> Contents {
        let file = self.file.clone();
        let look = async {
            // A file system that hangs has one thread of ours, and not one more for each look.
            if let Some(before) = &mut self.under_way {
                let _out_of_date = before.await;
            }
            let look = spawn_blocking(move || read_again(&file));
            let contents = self.under_way.insert(look).await;
            self.under_way = None;
            contents
        };
        match timeout(READ_TIMEOUT, look).await {
            Ok(Ok(contents)) => contents,
            Ok(Err(panicked)) => Err(io::Error::other(panicked).into()),
            Err(_late) => Err(io::Error::from(io::ErrorKind::TimedOut).into()),
        }
    }

    async fn settings(&self, contents: Contents) -> Result<Config, Rejected> {
        let file = self.file.clone();
        let check = move || {
            Config::from_contents(&file, contents).map_err(|errors| Rejected::wrong(&errors))
        };
        let checked = spawn_blocking(check).await;
        checked.unwrap_or_else(|panicked| Err(Rejected::Unchecked(panicked)))
    }
}

impl Fingerprint {
    fn of(contents: &Contents) -> Self {
        match contents {
            Ok(bytes) => {
                let mut hasher = DefaultHasher::new();
                bytes.hash(&mut hasher);
                Self::Content(hasher.finish())
            }
            Err(error) => Self::Unreadable(error.to_string()),
        }
    }
}
