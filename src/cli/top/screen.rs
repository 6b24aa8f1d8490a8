//! The terminal while it is ours, and giving it back.

use std::io::{self, Write};
use std::panic;
use std::sync::{Mutex, PoisonError};

use rustix::termios::{OptionalActions, Termios, tcgetattr, tcgetwinsize, tcsetattr};

/// The terminal, with the view in the place of what was on it until this is dropped.
#[derive(Debug)]
pub(super) struct Screen(());

/// Columns and rows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Size {
    pub(super) columns: usize,
    pub(super) rows: usize,
}

/// A row of the view.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Line {
    pub(super) text: String,
    pub(super) weight: Weight,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Weight {
    Plain,
    Bold,
    Reverse,
}

/// Of a terminal that does not know its size.
const USUAL: Size = Size {
    columns: 80,
    rows: 24,
};

/// How the terminal was found, while it is ours.
static FOUND: Mutex<Option<Termios>> = Mutex::new(None);

// What terminals have understood since the VT100 and xterm.
const TAKE: &str = "\x1b[?1049h\x1b[?25l\x1b[2J";
const GIVE_BACK: &str = "\x1b[?25h\x1b[?1049l";
const CLEAR: &str = "\x1b[2J";
const CLEAR_LINE: &str = "\x1b[K";
const BOLD: &str = "\x1b[1m";
const REVERSE: &str = "\x1b[7m";
const PLAIN: &str = "\x1b[0m";

impl Screen {
    /// Takes over the terminal. A panic restores it before its message is printed.
    pub(super) fn enter() -> io::Result<Self> {
        let found = tcgetattr(io::stdin())?;
        let mut raw = found.clone();
        // Keys come one by one, unseen, and Ctrl-C is one of them.
        raw.make_raw();
        *FOUND.lock().unwrap_or_else(PoisonError::into_inner) = Some(found);
        let screen = Self(());
        let before = panic::take_hook();
        panic::set_hook(Box::new(move |info| {
            give_back();
            before(info);
        }));
        tcsetattr(io::stdin(), OptionalActions::Now, &raw)?;
        write(TAKE)?;
        Ok(screen)
    }

    pub(super) fn size(&self) -> Size {
        match tcgetwinsize(io::stdout()) {
            Ok(size) if size.ws_col > 0 && size.ws_row > 0 => Size {
                columns: size.ws_col.into(),
                rows: size.ws_row.into(),
            },
            _ => USUAL,
        }
    }

    /// Forgets what is on it.
    pub(super) fn clear(&self) -> io::Result<()> {
        write(CLEAR)
    }

    /// Puts these lines on it, one for each row, in one write.
    pub(super) fn draw(&self, lines: &[Line]) -> io::Result<()> {
        let mut drawn = String::new();
        for (row, line) in (1..).zip(lines) {
            let weight = match line.weight {
                Weight::Plain => "",
                Weight::Bold => BOLD,
                Weight::Reverse => REVERSE,
            };
            // The line is cleared before the text: behind one that is full, the cursor stands on
            // its last letter.
            drawn += &format!("\x1b[{row};1H{CLEAR_LINE}{weight}{}{PLAIN}", line.text);
        }
        write(&drawn)
    }
}

impl Drop for Screen {
    fn drop(&mut self) {
        give_back();
    }
}

/// Restores the terminal, once.
fn give_back() {
    let found = FOUND.try_lock().ok().and_then(|mut found| found.take());
    if let Some(found) = found {
        // A terminal that is gone needs nothing back.
        let _shown = write(GIVE_BACK);
        let _as_found = tcsetattr(io::stdin(), OptionalActions::Now, &found);
    }
}

fn write(text: &str) -> io::Result<()> {
    let mut stdout = io::stdout().lock();
    stdout.write_all(text.as_bytes())?;
    stdout.flush()
}
