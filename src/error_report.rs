//! An error with its causes, in one line of the log.

use std::error::Error;
use std::fmt;

/// Displays an error and each of its causes, with `: ` between them, for one line of a log. The way
/// in which `tracing` shows an error leaves the causes out.
#[derive(Debug)]
pub struct ErrorReport<'a>(pub &'a (dyn Error + 'static));

impl fmt::Display for ErrorReport<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)?;
        let mut source = self.0.source();
        while let Some(cause) = source {
            write!(f, ": {cause}")?;
            source = cause.source();
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, thiserror::Error)]
    #[error("{0}")]
    struct Layer(&'static str, #[source] Option<Box<Layer>>);

    #[test]
    fn every_cause_is_told_in_its_order() {
        let root = Layer("the port is closed", None);
        let middle = Layer("no connection", Some(Box::new(root)));
        let outer = Layer("no answer", Some(Box::new(middle)));
        assert_eq!(
            ErrorReport(&outer).to_string(),
            "no answer: no connection: the port is closed"
        );
    }

    #[test]
    fn an_error_without_a_cause_stands_alone() {
        assert_eq!(
            ErrorReport(&Layer("no answer", None)).to_string(),
            "no answer"
        );
    }
}
