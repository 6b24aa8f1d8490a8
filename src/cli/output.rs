//! Results on standard output, remarks and questions on standard error.

use std::io::{self, IsTerminal, Write};

use rustix::termios::tcgetwinsize;

use super::error::CommandError;

/// Writes a result.
pub(super) fn print(text: &str) -> Result<(), CommandError> {
    let mut stdout = io::stdout().lock();
    let written = stdout.write_all(text.as_bytes());
    written
        .and_then(|()| stdout.flush())
        .map_err(CommandError::output)
}

/// Writes a result of one line.
pub(super) fn print_line(line: &str) -> Result<(), CommandError> {
    print(&format!("{line}\n"))
}

/// Writes a remark to standard error. The command continues if that fails.
pub(super) fn remark(line: &str) {
    let _written = writeln!(io::stderr(), "{line}");
}

/// Writes why the command was not carried out; nothing is left to do where it cannot be written.
pub(super) fn print_error(text: &str) {
    let _written = io::stderr().write_all(text.as_bytes());
}

/// How wide a line may be, if the results go to a terminal.
pub(super) fn width() -> Option<usize> {
    let stdout = io::stdout();
    if !stdout.is_terminal() {
        return None;
    }
    let columns = tcgetwinsize(&stdout).map_or(0, |size| size.ws_col);
    // A terminal that does not know its size, such as a serial line, says 0.
    (columns > 0).then(|| usize::from(columns))
}

/// Whether a person can answer a question.
pub(super) fn can_ask() -> bool {
    io::stdin().is_terminal() && io::stderr().is_terminal()
}

/// Asks a question. Anything but a clear yes is a no.
pub(super) fn confirm(question: &str) -> bool {
    let mut stderr = io::stderr();
    let asked = write!(stderr, "{question} [y/N] ").and_then(|()| stderr.flush());
    let mut answer = String::new();
    let answered = asked.and_then(|()| io::stdin().read_line(&mut answer));
    answered.is_ok() && matches!(answer.trim(), "y" | "Y" | "yes" | "Yes" | "YES")
}
