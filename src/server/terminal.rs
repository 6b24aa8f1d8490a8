//! What the program says to a person, outside of its log.

use std::error::Error;
use std::io::IsTerminal;

use crate::chain::Chain;

/// Whether to write color there: only to a terminal, and not where the person said no
/// (<https://no-color.org>).
pub fn has_color(stream: &impl IsTerminal) -> bool {
    let refused = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
    !refused && stream.is_terminal()
}

/// Writes an error with its causes, and what can be done about it, to standard error.
pub fn complain(error: &(dyn Error + 'static), help: Option<&str>) {
    eprint!("{}", describe(error, help, has_color(&std::io::stderr())));
}

fn describe(error: &(dyn Error + 'static), help: Option<&str>, color: bool) -> String {
    let (red, cyan, plain) = match color {
        true => ("\x1b[1;31m", "\x1b[1;36m", "\x1b[0m"),
        false => ("", "", ""),
    };
    let mut text = format!("{red}error{plain}: {}\n", Chain(error));
    if let Some(help) = help {
        text += &format!("{cyan}help{plain}: {help}\n");
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, thiserror::Error)]
    #[error("cannot listen")]
    struct Outer(#[source] std::io::Error);

    #[test]
    fn an_error_is_told_with_its_causes_and_its_cure() {
        let error = Outer(std::io::Error::other("in use"));
        assert_eq!(
            describe(&error, Some("choose another"), false),
            "error: cannot listen: in use\nhelp: choose another\n"
        );
        assert_eq!(
            describe(&error, None, true),
            "\x1b[1;31merror\x1b[0m: cannot listen: in use\n"
        );
    }
}
