//! The file that the settings come from, and how a change of it is noticed.

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
    read: Option<Print>,
    /// What the last look found, if that was something else.
    found: Option<Print>,
}

/// What tells one state of the file from another: a hash of its content, whatever links lead to
/// it, or why it cannot be read.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Print {
    Content(u64),
    Unreadable(io::ErrorKind),
}

/// How often the file is looked at.
pub(crate) const POLL_INTERVAL: Duration = Duration::from_secs(2);

/// A file system that takes longer does not answer any more.
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

    /// Reads the file, and takes note of what it is.
    pub(crate) async fn load(&mut self) -> Result<Config, ConfigErrors> {
        let contents = self.contents().await;
        self.read = Some(Print::of(&contents));
        self.found = None;
        Config::from_contents(&self.file, contents)
    }

    /// Waits until the file is something else than was last read, and reads that.
    ///
    /// It has to be the same at two looks: who writes a file in place is halfway through at some
    /// moment, and half a file can be right and have fewer routes.
    pub(crate) async fn changed(&mut self) -> Result<Config, ConfigErrors> {
        loop {
            sleep(self.interval).await;
            let contents = self.contents().await;
            let print = Print::of(&contents);
            if self.read.as_ref() == Some(&print) {
                self.found = None;
            } else if self.found.as_ref() == Some(&print) {
                self.read = self.found.take();
                return Config::from_contents(&self.file, contents);
            } else {
                self.found = Some(print);
            }
        }
    }

    /// Off the thread, which has signals to listen to.
    async fn contents(&self) -> io::Result<Vec<u8>> {
        let file = self.file.clone();
        match timeout(READ_TIMEOUT, spawn_blocking(|| std::fs::read(file))).await {
            Ok(Ok(contents)) => contents,
            Ok(Err(panicked)) => Err(io::Error::other(panicked)),
            Err(_late) => Err(io::ErrorKind::TimedOut.into()),
        }
    }
}

impl Print {
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
