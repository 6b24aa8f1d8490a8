//! A file of settings, read whole and within bounds.

use std::fs::{File, Metadata};
use std::io::{self, Read};
use std::os::unix::fs::{FileTypeExt, OpenOptionsExt};
use std::path::Path;

use crate::config::errors::ConfigErrors;
use crate::config::values::{ValueError, size};

/// Why a file has no settings.
#[derive(Debug, thiserror::Error)]
pub(crate) enum FileError {
    #[error(transparent)]
    Unreadable(#[from] io::Error),
    /// Something else than a file stands there.
    #[error("this is {0}, and settings are read from a file")]
    NoFile(&'static str),
    #[error(
        "this file is larger than {}: it holds no settings",
        size::written(LARGEST_FILE)
    )]
    TooLarge,
}

/// The bytes that a file of settings may have: thousands of routes.
const LARGEST_FILE: u64 = 1024 * 1024;

/// Reads a file for the first time: also a pipe, as a shell makes it for `<(…)`, to its end.
pub(super) fn read_once(path: &Path) -> Result<Vec<u8>, FileError> {
    let check = |metadata: &Metadata| match metadata.file_type().is_fifo() {
        true => Ok(()),
        false => check_is_file(metadata),
    };
    check(&path.metadata()?)?;
    let file = File::open(path)?;
    check(&file.metadata()?)?;
    read(file)
}

/// Reads a file again. What is in a pipe has been read, and waiting for more would hold up other
/// reloads.
#[cfg_attr(not(feature = "server"), allow(dead_code))]
pub(crate) fn read_again(path: &Path) -> Result<Vec<u8>, FileError> {
    check_is_file(&path.metadata()?)?;
    // Something else may stand there by now, and opening a pipe may wait.
    let file = File::options()
        .read(true)
        .custom_flags(libc::O_NONBLOCK)
        .open(path)?;
    check_is_file(&file.metadata()?)?;
    read(file)
}

/// Whether a file can be read more than once; one that is not there may come.
#[cfg_attr(not(feature = "server"), allow(dead_code))]
pub(crate) fn can_be_read_again(path: &Path) -> bool {
    path.metadata()
        .map_or(true, |metadata| !metadata.file_type().is_fifo())
}

fn check_is_file(metadata: &Metadata) -> Result<(), FileError> {
    let kind = metadata.file_type();
    Err(FileError::NoFile(match kind {
        _ if kind.is_file() => return Ok(()),
        _ if kind.is_dir() => "a folder",
        _ if kind.is_fifo() => "a pipe",
        _ if kind.is_socket() => "a socket",
        _ => "a device",
    }))
}

/// Reads a stream to its end.
pub(super) fn read(stream: impl Read) -> Result<Vec<u8>, FileError> {
    let mut contents = Vec::new();
    stream.take(LARGEST_FILE + 1).read_to_end(&mut contents)?;
    match contents.len() as u64 > LARGEST_FILE {
        true => Err(FileError::TooLarge),
        false => Ok(contents),
    }
}

impl FileError {
    /// The same as an error of the file of this name.
    pub(super) fn of(self, name: &str) -> ConfigErrors {
        match self {
            Self::Unreadable(error) => ConfigErrors::unreadable(name, error),
            Self::NoFile(_) | Self::TooLarge => {
                ConfigErrors::whole(name, ValueError::new(self.to_string()))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::net::UnixListener;
    use std::thread;

    use rustix::fs::{CWD, Mode, mkfifoat};

    use super::*;

    #[test]
    fn only_a_file_is_read_and_a_pipe_only_once() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        let _socket = UnixListener::bind(at("socket")).unwrap();
        mkfifoat(CWD, at("pipe"), Mode::RUSR | Mode::WUSR).unwrap();
        std::fs::write(at("file"), "text").unwrap();
        std::os::unix::fs::symlink("file", at("link")).unwrap();
        for name in ["file", "link"] {
            assert_eq!(read_once(&at(name)).unwrap(), b"text");
            assert_eq!(read_again(&at(name)).unwrap(), b"text");
        }
        for (path, what) in [
            (at(""), "a folder"),
            (at("socket"), "a socket"),
            ("/dev/zero".into(), "a device"),
        ] {
            for read in [read_once, read_again] {
                let error = read(&path).unwrap_err().to_string();
                assert_eq!(
                    error,
                    format!("this is {what}, and settings are read from a file")
                );
            }
        }
        // Nobody writes to it: this would wait for ever.
        let error = read_again(&at("pipe")).unwrap_err().to_string();
        assert!(error.contains("a pipe"), "{error}");
        let pipe = at("pipe");
        let writer = thread::spawn(move || std::fs::write(pipe, "text"));
        assert_eq!(read_once(&at("pipe")).unwrap(), b"text");
        writer.join().unwrap().unwrap();
        assert!(!can_be_read_again(&at("pipe")));
        assert!(can_be_read_again(&at("file")) && can_be_read_again(&at("none")));
    }

    #[test]
    fn a_file_has_a_bound() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("wsgate.toml");
        std::fs::write(&path, vec![b'#'; LARGEST_FILE as usize]).unwrap();
        assert_eq!(read_again(&path).unwrap().len(), LARGEST_FILE as usize);
        std::fs::write(&path, vec![b'#'; LARGEST_FILE as usize + 1]).unwrap();
        for read in [read_once, read_again] {
            let error = read(&path).unwrap_err().to_string();
            assert_eq!(error, "this file is larger than 1MiB: it holds no settings");
        }
    }
}
