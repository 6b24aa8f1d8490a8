//! What the program says to a person, outside of its log.

use std::error::Error;
use std::iter::successors;

use wsgate::server::has_color;

/// Writes an error with its causes, and what can be done about it, to standard error.
pub(super) fn complain(error: &(dyn Error + 'static), help: Option<&str>) {
    eprint!("{}", describe(error, help, has_color(&std::io::stderr())));
}

fn describe(error: &(dyn Error + 'static), help: Option<&str>, color: bool) -> String {
    let (red, cyan, plain) = match color {
        true => ("\x1b[1;31m", "\x1b[1;36m", "\x1b[0m"),
        false => ("", "", ""),
    };
    let causes = successors(Some(error), |&error| error.source());
    let causes: Vec<_> = causes.map(ToString::to_string).collect();
    let mut text = format!("{red}error{plain}: {}\n", causes.join(": "));
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
