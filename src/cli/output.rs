//! What a command says: results on standard output, remarks on standard error.

use std::io::{self, IsTerminal, Write};

use rustix::termios::tcgetwinsize;

use super::error::{CommandError, Failure};

/// Writes a result. Where whoever reads has read enough, the command has done what it should.
pub(super) fn print(text: &str) -> Result<(), CommandError> {
    let mut stdout = io::stdout().lock();
    let written = stdout.write_all(text.as_bytes());
    match written.and_then(|()| stdout.flush()) {
        Ok(()) => Ok(()),
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Err(Failure::ReaderGone.into()),
        Err(error) => Err(Failure::Output(error).into()),
    }
}

/// Writes a line.
pub(super) fn say(line: &str) -> Result<(), CommandError> {
    print(&format!("{line}\n"))
}

/// Says something that is no part of the result. Nobody has to hear it.
pub(super) fn remark(line: &str) {
    let _unheard = writeln!(io::stderr(), "{line}");
}

/// How wide a line may be, if the results go to a terminal.
pub(super) fn width() -> Option<usize> {
    let stdout = io::stdout();
    if !stdout.is_terminal() {
        return None;
    }
    let columns = tcgetwinsize(&stdout).map_or(0, |size| size.ws_col);
    // A terminal that does not know its size, such as a serial line.
    (columns > 0).then(|| usize::from(columns))
}

/// Whether there is a person to ask.
pub(super) fn can_ask() -> bool {
    io::stdin().is_terminal() && io::stderr().is_terminal()
}

/// Asks a question that only a clear yes answers with yes.
pub(super) fn confirm(question: &str) -> bool {
    let mut stderr = io::stderr();
    let asked = write!(stderr, "{question} [y/N] ").and_then(|()| stderr.flush());
    let mut answer = String::new();
    let answered = asked.and_then(|()| io::stdin().read_line(&mut answer));
    answered.is_ok() && matches!(answer.trim(), "y" | "Y" | "yes" | "Yes" | "YES")
}
