//! Standard error, where writing may take for ever.

use std::io::{self, Write};
use std::sync::mpsc::sync_channel;
use std::thread;
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, poll};

/// Standard error, which may have been set to non-blocking by whoever shares it.
#[derive(Debug)]
pub(super) struct StandardError;

/// How long the end of the process waits for its last words to be taken.
const REPORT_TIMEOUT: Duration = Duration::from_secs(1);

impl Write for StandardError {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        loop {
            match io::stderr().write(bytes) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    poll(&mut [PollFd::new(&io::stderr(), PollFlags::OUT)], None)?;
                }
                written => return written,
            }
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Writes to standard error why the process ends. It ends a second later also where nobody reads.
pub fn report(text: &str) {
    let text = text.to_owned();
    let (done, is_done) = sync_channel::<()>(1);
    let write = move || {
        // There is no other way out for it.
        let _written = StandardError.write_all(text.as_bytes());
        drop(done);
    };
    let thread = thread::Builder::new().name("wsgate-report".to_owned());
    if thread.spawn(write).is_ok() {
        let _done_or_late = is_done.recv_timeout(REPORT_TIMEOUT);
    }
}
