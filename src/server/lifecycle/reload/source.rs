//! The file of the settings and the files that it names, watched for changes.
//!
//! They are read, checked and their errors are written out on other threads: this one has signals to handle.

use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use tokio::task::{JoinHandle, spawn_blocking};
use tokio::time::{sleep, timeout};

use super::rejected::Rejected;
use crate::config::{Config, FileError, Fingerprint, NamedFile, read_again};

/// The file, and what it was when it was last read for its settings.
pub(crate) struct Source {
    file: PathBuf,
    interval: Duration,
    read: Option<State>,
    /// What the last look found, if that was different.
    found: Option<State>,
    /// A look that was not waited for to its end.
    under_way: Option<JoinHandle<Look>>,
}

/// The state of the file and of those that it names, such as certificates.
#[derive(Clone, Debug, PartialEq, Eq)]
struct State {
    file: Fingerprint,
    named: Vec<NamedFile>,
}

/// What was read of the file, and what the files are that it named when it was last read for its settings.
struct Look {
    contents: Result<Vec<u8>, FileError>,
    named: Vec<NamedFile>,
}

/// How often the files are looked at.
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
        let look = self.look().await;
        self.settings(look).await
    }

    /// Waits until the file or one that it names has changed since it was last read, and reads it. Cancel
    /// safe.
    ///
    /// It has to be the same at two looks: a file that is written in place is incomplete for a moment, and
    /// half a file can be valid and have fewer routes.
    pub(crate) async fn changed(&mut self) -> Result<Config, Rejected> {
        loop {
            sleep(self.interval).await;
            let look = self.look().await;
            let state = look.state();
            if self.read.as_ref() == Some(&state) {
                self.found = None;
            } else if self.found.as_ref() == Some(&state) {
                return self.settings(look).await;
            } else {
                self.found = Some(state);
            }
        }
    }

    async fn look(&mut self) -> Look {
        let file = self.file.clone();
        let named = self.read.as_ref().map(|read| read.named.clone());
        let named = named.unwrap_or_default();
        let before = named.clone();
        let look = async {
            // A file system that hangs has one thread of ours, and not one more for each look.
            if let Some(before) = &mut self.under_way {
                let _out_of_date = before.await;
            }
            let look = spawn_blocking(move || Look {
                contents: read_again(&file),
                named: named.into_iter().map(look_again).collect(),
            });
            let look = self.under_way.insert(look).await;
            self.under_way = None;
            look
        };
        let error = match timeout(READ_TIMEOUT, look).await {
            Ok(Ok(look)) => return look,
            Ok(Err(panicked)) => io::Error::other(panicked),
            Err(_late) => io::Error::from(io::ErrorKind::TimedOut),
        };
        Look {
            contents: Err(error.into()),
            named: before,
        }
    }

    /// The settings of what was read, which is remembered.
    async fn settings(&mut self, look: Look) -> Result<Config, Rejected> {
        let (file, state) = (self.file.clone(), look.state());
        let check = move || match Config::from_contents(&file, look.contents) {
            Ok(config) => (config.files.clone(), Ok(config)),
            Err(errors) => (errors.files().to_vec(), Err(Rejected::wrong(&errors))),
        };
        let checked = spawn_blocking(check).await;
        let (named, settings) =
            checked.unwrap_or_else(|panicked| (look.named, Err(Rejected::Unchecked(panicked))));
        self.found = None;
        self.read = Some(State { named, ..state });
        settings
    }
}

impl Look {
    fn state(&self) -> State {
        State {
            file: Fingerprint::of(&self.contents),
            named: self.named.clone(),
        }
    }
}

fn look_again(NamedFile { path, .. }: NamedFile) -> NamedFile {
    let state = Fingerprint::of(&read_again(&path));
    NamedFile { path, state }
}
