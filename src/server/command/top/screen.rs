//! The terminal while it is ours, and giving it back.

use std::io::{self, Write};
use std::panic;
use std::sync::atomic::{AtomicBool, Ordering};

use crossterm::cursor::{Hide, MoveTo, Show};
use crossterm::style::{Attribute, Print, SetAttribute};
use crossterm::terminal::{
    Clear, ClearType, EnterAlternateScreen, LeaveAlternateScreen, disable_raw_mode, enable_raw_mode,
};
use crossterm::{execute, queue};
use rustix::termios::tcgetwinsize;

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

/// Whether the terminal is ours at the moment.
static IS_OURS: AtomicBool = AtomicBool::new(false);

impl Screen {
    /// Takes the terminal. A panic gives it back before it says what happened, so that one can
    /// read it.
    pub(super) fn enter() -> io::Result<Self> {
        enable_raw_mode()?;
        IS_OURS.store(true, Ordering::Release);
        let screen = Self(());
        let before = panic::take_hook();
        panic::set_hook(Box::new(move |info| {
            give_back();
            before(info);
        }));
        execute!(io::stdout(), EnterAlternateScreen, Hide)?;
        screen.clear()?;
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
        execute!(io::stdout(), Clear(ClearType::All))
    }

    /// Puts these lines on it, one for each row, in one write.
    pub(super) fn draw(&self, lines: &[Line]) -> io::Result<()> {
        let mut drawn = Vec::new();
        for (row, line) in (0..).zip(lines) {
            // Before the text: behind a line that is full, the cursor stands on its last letter.
            queue!(drawn, MoveTo(0, row), Clear(ClearType::UntilNewLine))?;
            match line.weight {
                Weight::Plain => {}
                Weight::Bold => queue!(drawn, SetAttribute(Attribute::Bold))?,
                Weight::Reverse => queue!(drawn, SetAttribute(Attribute::Reverse))?,
            }
            queue!(drawn, Print(&line.text), SetAttribute(Attribute::Reset))?;
        }
        let mut stdout = io::stdout().lock();
        stdout.write_all(&drawn)?;
        stdout.flush()
    }
}

impl Drop for Screen {
    fn drop(&mut self) {
        give_back();
    }
}

/// Leaves the terminal as it was found, once.
fn give_back() {
    if IS_OURS.swap(false, Ordering::AcqRel) {
        // A terminal that is gone needs nothing back.
        let _shown = execute!(io::stdout(), Show, LeaveAlternateScreen);
        let _cooked = disable_raw_mode();
    }
}
