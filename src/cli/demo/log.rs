//! The last lines of the gate's log, for the page.

use std::collections::VecDeque;
use std::io::{self, Write};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// The last lines, numbered from 1.
#[derive(Debug, Default)]
pub(super) struct RecentLog {
    kept: Mutex<Kept>,
}

#[derive(Debug, Default)]
struct Kept {
    lines: VecDeque<String>,
    /// The number of the last line.
    last: u64,
}

/// Takes the log and cuts it into lines.
pub(super) struct Lines {
    log: Arc<RecentLog>,
    /// A line whose end is still to come.
    line: Vec<u8>,
}

/// Lines that are kept.
const MOST_LINES: usize = 300;

/// The bytes that are kept of a line.
const LONGEST_LINE: usize = 2048;

impl RecentLog {
    /// The number of the last line, and the lines behind this one, as far as they are kept.
    pub(super) fn after(&self, number: u64) -> (u64, Vec<String>) {
        let kept = self.kept();
        let new = usize::try_from(kept.last.saturating_sub(number)).unwrap_or(usize::MAX);
        let skipped = kept.lines.len().saturating_sub(new);
        (
            kept.last,
            kept.lines.iter().skip(skipped).cloned().collect(),
        )
    }

    fn push(&self, line: String) {
        let mut kept = self.kept();
        if kept.lines.len() == MOST_LINES {
            kept.lines.pop_front();
        }
        kept.lines.push_back(line);
        kept.last += 1;
    }

    fn kept(&self) -> MutexGuard<'_, Kept> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Lines {
    pub(super) fn of(log: Arc<RecentLog>) -> Self {
        let line = Vec::new();
        Self { log, line }
    }
}

impl Write for Lines {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        for byte in bytes {
            match byte {
                b'\n' => {
                    let line = plain(&String::from_utf8_lossy(&self.line));
                    self.line.clear();
                    // The introduction is indented, and no part of the log.
                    if !line.is_empty() && !line.starts_with(' ') {
                        self.log.push(line);
                    }
                }
                byte if self.line.len() < LONGEST_LINE => self.line.push(*byte),
                _ => {}
            }
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// The line without the colors that a terminal would show: from an escape to its letter.
fn plain(line: &str) -> String {
    let mut parts = line.split('\u{1b}');
    let mut plain = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let end = part.find(|letter: char| letter.is_ascii_alphabetic());
        plain.push_str(end.map_or("", |end| &part[end + 1..]));
    }
    plain
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_numbered_and_the_last_ones_are_kept() {
        let log = Arc::new(RecentLog::default());
        let mut lines = Lines::of(Arc::clone(&log));
        lines.write_all(b"\x1b[32mIN").unwrap();
        lines
            .write_all(b"FO\x1b[0m one\n\n  Open\ntwo\nthr")
            .unwrap();
        assert_eq!(
            log.after(0),
            (2, vec!["INFO one".to_owned(), "two".to_owned()])
        );
        assert_eq!(log.after(1), (2, vec!["two".to_owned()]));
        assert_eq!(log.after(2), (2, Vec::new()));
        assert_eq!(log.after(9), (2, Vec::new()));
        lines
            .write_all("ee\n".repeat(MOST_LINES).as_bytes())
            .unwrap();
        let (last, kept) = log.after(0);
        assert_eq!((last, kept.len()), (2 + MOST_LINES as u64, MOST_LINES));
        lines.write_all(&[b'x'; 10_000]).unwrap();
        assert_eq!(lines.line.len(), LONGEST_LINE);
    }
}
