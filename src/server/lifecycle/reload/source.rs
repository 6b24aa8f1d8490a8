//! The file of the settings, watched for changes.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use tokio::task::spawn_blocking;
use tokio::time::{sleep, timeout};

use crate::config::{Config, ConfigErrors};

/// The file, and what it was when it was last read for its settings.
pub(crate) struct Source {
    file: PathBuf,
    interval: Duration,
    read: Option<Fingerprint>,
    /// What the last look found, if that was different.
    found: Option<Fingerprint>,
}

/// A state of the file: a hash of its content, whatever links lead to it, or why it cannot be read.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Fingerprint {
    Content(u64),
    Unreadable(io::ErrorKind),
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
        }
    }

    /// Reads the file, and remembers its state.
    pub(crate) async fn load(&mut self) -> Result<Config, ConfigErrors> {
        let contents = self.contents().await;
        self.read = Some(Fingerprint::of(&contents));
        self.found = None;
        Config::from_contents(&self.file, contents)
    }

    /// Waits until the file has changed since it was last read, and reads it.
    ///
    /// It has to be the same at two looks: a file that is written in place is incomplete for a moment, and
    /// half a file can be valid and have fewer routes.
    pub(crate) async fn changed(&mut self) -> Result<Config, ConfigErrors> {
        loop {
            sleep(self.interval).await;
            let contents = self.contents().await;
            let fingerprint = Fingerprint::of(&contents);
            if self.read.as_ref() == Some(&fingerprint) {
                self.found = None;
            } else if self.found.as_ref() == Some(&fingerprint) {
                self.read = self.found.take();
                return Config::from_contents(&self.file, contents);
            } else {
                self.found = Some(fingerprint);
            }
        }
    }

    /// Read on another thread: this one has signals to handle.
    async fn contents(&self) -> io::Result<Vec<u8>> {
        let file = self.file.clone();
        match timeout(READ_TIMEOUT, spawn_blocking(|| std::fs::read(file))).await {
            Ok(Ok(contents)) => contents,
            Ok(Err(panicked)) => Err(io::Error::other(panicked)),
            Err(_late) => Err(io::ErrorKind::TimedOut.into()),
        }
    }
}

impl Fingerprint {
    fn of(contents: &io::Result<Vec<u8>>) -> Self {
        match contents {
            Ok(bytes) => {
                let mut hasher = DefaultHasher::new();
                bytes.hash(&mut hasher);
                Self::Content(hasher.finish())
            }
            Err(error) => Self::Unreadable(error.kind()),
        }
    }
}
