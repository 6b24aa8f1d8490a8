//! A second place for the lines of the log.

use std::fmt;
use std::io::{self, Write};

/// Gets what the log writes to standard error, in pieces, color included. It must not wait: the log
/// waits for it.
pub struct LogCopy(Box<dyn Write + Send>);

/// A writer, and what it has written goes to a copy.
pub(super) struct Copied<W> {
    writer: W,
    copy: LogCopy,
}

impl LogCopy {
    /// What `copy` fails to take is lost.
    pub fn new(copy: impl Write + Send + 'static) -> Self {
        Self(Box::new(copy))
    }

    pub(super) fn beside<W>(self, writer: W) -> Copied<W> {
        Copied { writer, copy: self }
    }
}

impl fmt::Debug for LogCopy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LogCopy").finish_non_exhaustive()
    }
}

impl<W: Write> Write for Copied<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.writer.write(bytes)?;
        let _copied = self.copy.0.write_all(&bytes[..written]);
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.writer.flush()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Takes three bytes at once.
    struct Three(Vec<u8>);

    impl Write for Three {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            let taken = bytes.len().min(3);
            self.0.extend(&bytes[..taken]);
            Ok(taken)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    struct Broken;

    impl Write for Broken {
        fn write(&mut self, _: &[u8]) -> io::Result<usize> {
            Err(io::ErrorKind::StorageFull.into())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn the_copy_gets_each_byte_once_and_its_failure_stops_nothing() {
        let (file, mut read) = (tempfile::tempfile().unwrap(), String::new());
        let copy = LogCopy::new(file.try_clone().unwrap());
        let mut copied = copy.beside(Three(Vec::new()));
        copied.write_all(b"one line\n").unwrap();
        assert_eq!(copied.writer.0, b"one line\n");
        io::Seek::rewind(&mut &file).unwrap();
        io::Read::read_to_string(&mut &file, &mut read).unwrap();
        assert_eq!(read, "one line\n");
        let mut copied = LogCopy::new(Broken).beside(Three(Vec::new()));
        copied.write_all(b"one line\n").unwrap();
        assert_eq!(copied.writer.0, b"one line\n");
    }
}
