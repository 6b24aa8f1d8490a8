//! The way of a line of the log: a bounded queue, and a thread that writes.
//!
//! ```text
//! workers, signals, reloads ─► queue, bounded ─► a thread of its own ─► standard error
//! ```
//!
//! Nobody waits for standard error: a line that finds the queue full is dropped and counted, and the log
//! says at that place how many were.

use std::io::{self, Write};
use std::mem;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use tracing_subscriber::fmt::MakeWriter;

use super::own_lines::OwnLines;

/// The lines that wait to be written; a clone is the same queue.
#[derive(Clone, Debug)]
pub(crate) struct LogQueue {
    shared: Arc<Shared>,
}

/// The thread that writes. Dropping it writes the rest, within [`FLUSH_TIMEOUT`].
#[derive(Debug)]
pub(crate) struct LogWriter {
    queue: LogQueue,
    thread: Option<JoinHandle<()>>,
}

#[derive(Debug)]
struct Shared {
    waiting: Mutex<Waiting>,
    /// There are lines to write, or there will be no more.
    changed: Condvar,
    /// All lines are written.
    written: Condvar,
    /// Lines that were not written, since the start.
    dropped: AtomicU64,
    own_lines: OwnLines,
}

#[derive(Debug, Default)]
struct Waiting {
    /// Whole lines.
    text: Vec<u8>,
    /// Lines that were dropped since the writer last took the text: they belong behind it.
    dropped: u64,
    writer: Writer,
    has_ended: bool,
}

/// What the thread is doing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Writer {
    /// Only then does a new line have to wake it.
    Asleep,
    #[default]
    Writing,
}

/// The bytes that may wait.
const CAPACITY: usize = 1024 * 1024;

/// The bytes of a line.
const LONGEST_LINE: usize = 16 * 1024;

/// A pipe takes so much as a whole (POSIX: at least 512, Linux: 4096), so that the lines of two
/// processes with one standard error do not mix.
const PIECE: usize = 4096;

/// A buffer that has grown beyond it is given back.
const KEPT_CAPACITY: usize = 64 * 1024;

/// How long the end of the process waits for the rest to be written.
pub(super) const FLUSH_TIMEOUT: Duration = Duration::from_secs(2);

impl LogQueue {
    /// A queue, and the thread that writes its lines to `sink`.
    pub(super) fn start(
        sink: impl Write + Send + 'static,
        own_lines: OwnLines,
    ) -> io::Result<(Self, LogWriter)> {
        let queue = Self {
            shared: Arc::new(Shared {
                waiting: Mutex::default(),
                changed: Condvar::new(),
                written: Condvar::new(),
                dropped: AtomicU64::new(0),
                own_lines,
            }),
        };
        let shared = Arc::clone(&queue.shared);
        let thread = thread::Builder::new()
            .name("wsgate-log".to_owned())
            .spawn(move || shared.write_lines(sink))?;
        let writer = LogWriter {
            queue: queue.clone(),
            thread: Some(thread),
        };
        Ok((queue, writer))
    }

    /// How many lines were not written, since the start.
    pub(crate) fn dropped(&self) -> u64 {
        self.shared.dropped.load(Ordering::Relaxed)
    }

    /// What the log writes by itself.
    pub(super) fn own_lines(&self) -> &OwnLines {
        &self.shared.own_lines
    }

    /// Adds lines, of which each ends; waits for nobody.
    pub(crate) fn push(&self, line: &[u8]) {
        if line.len() <= LONGEST_LINE {
            return self.shared.push(line);
        }
        let line = String::from_utf8_lossy(line);
        let shortened = self.shared.own_lines.shortened(&line, LONGEST_LINE);
        self.shared.push(shortened.as_bytes());
    }
}

impl Shared {
    fn push(&self, line: &[u8]) {
        let mut waiting = self.lock();
        // Once one was dropped all are, until there is room again: the log says so at one place.
        if waiting.dropped > 0 || waiting.text.len() + line.len() > CAPACITY {
            waiting.dropped += 1;
            self.dropped.fetch_add(1, Ordering::Relaxed);
            return;
        }
        waiting.text.extend_from_slice(line);
        let is_asleep = mem::replace(&mut waiting.writer, Writer::Writing) == Writer::Asleep;
        drop(waiting);
        if is_asleep {
            self.changed.notify_one();
        }
    }

    /// Writes until the end.
    fn write_lines(&self, mut sink: impl Write) {
        let mut text = Vec::new();
        // Those that the sink failed to take.
        let mut failed = 0;
        while let Some(dropped) = self.take(&mut text) {
            if failed > 0 && sink.write_all(&self.own_lines.dropped(failed)).is_ok() {
                failed = 0;
            }
            for piece in pieces(&text) {
                if sink.write_all(piece).is_err() {
                    let lines = count_lines(piece);
                    failed += lines;
                    self.dropped.fetch_add(lines, Ordering::Relaxed);
                }
            }
            if dropped > 0 && sink.write_all(&self.own_lines.dropped(dropped)).is_err() {
                failed += dropped;
            }
            text.clear();
            text.shrink_to(KEPT_CAPACITY);
        }
    }

    /// Waits for lines, puts them into `text` and returns how many were dropped behind them. `None`
    /// at the end.
    fn take(&self, text: &mut Vec<u8>) -> Option<u64> {
        let mut waiting = self.lock();
        while waiting.text.is_empty() && waiting.dropped == 0 {
            waiting.writer = Writer::Asleep;
            self.written.notify_all();
            if waiting.has_ended {
                return None;
            }
            waiting = unpoisoned(self.changed.wait(waiting));
        }
        waiting.writer = Writer::Writing;
        mem::swap(text, &mut waiting.text);
        Some(mem::take(&mut waiting.dropped))
    }

    fn lock(&self) -> MutexGuard<'_, Waiting> {
        unpoisoned(self.waiting.lock())
    }
}

impl LogWriter {
    /// Waits until all lines are written, for so long at most; whether they are.
    fn finish(&mut self, timeout: Duration) -> bool {
        let shared = &self.queue.shared;
        let mut waiting = shared.lock();
        waiting.has_ended = true;
        shared.changed.notify_all();
        let is_writing = |waiting: &mut Waiting| waiting.writer == Writer::Writing;
        let waited = shared
            .written
            .wait_timeout_while(waiting, timeout, is_writing);
        let (waiting, result) = unpoisoned(waited);
        drop(waiting);
        if result.timed_out() {
            // The thread ends with the process.
            return false;
        }
        // It has nothing left to do, so that this does not block.
        self.thread
            .take()
            .is_none_or(|thread| thread.join().is_ok())
    }
}

impl Drop for LogWriter {
    fn drop(&mut self) {
        self.finish(FLUSH_TIMEOUT);
    }
}

impl Write for &LogQueue {
    /// Takes a whole line at a time.
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        self.push(line);
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl<'a> MakeWriter<'a> for LogQueue {
    type Writer = &'a Self;

    fn make_writer(&'a self) -> Self::Writer {
        self
    }
}

/// The text is whole at every moment, whatever panicked elsewhere.
fn unpoisoned<T>(locked: Result<T, PoisonError<T>>) -> T {
    locked.unwrap_or_else(PoisonError::into_inner)
}

/// Whole lines, as many as a pipe takes at once, or one that is longer.
fn pieces(text: &[u8]) -> impl Iterator<Item = &[u8]> {
    let mut rest = text;
    std::iter::from_fn(move || {
        let start = rest.get(..PIECE).unwrap_or(rest);
        let newline = |byte: &u8| *byte == b'\n';
        let end = match start.iter().rposition(newline) {
            Some(last) => last + 1,
            None => rest
                .iter()
                .position(newline)
                .map_or(rest.len(), |first| first + 1),
        };
        let (piece, behind) = rest.split_at(end);
        rest = behind;
        (!piece.is_empty()).then_some(piece)
    })
}

fn count_lines(text: &[u8]) -> u64 {
    text.iter().filter(|byte| **byte == b'\n').count() as u64
}

#[cfg(test)]
mod tests;
