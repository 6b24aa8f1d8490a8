//! The listener for publishers and its tokens, in the words of the summary.

use std::fmt::Write;

use super::wrapped::wrapped;
use crate::config::settings::Publish;

/// The address, and a line for each token with what it allows.
pub(super) fn tell(publish: &Publish, summary: &mut String) {
    // Writing to a string cannot fail.
    let _ = writeln!(summary, "publish {}", publish.address);
    for token in &publish.tokens {
        let mut words: Vec<_> = token.channels.iter().map(ToString::to_string).collect();
        if token.direct {
            words.push("sessions and subjects".to_owned());
        }
        if token.tickets {
            words.push("tickets".to_owned());
        }
        let _ = writeln!(summary, "  {:9}  {}", token.name, wrapped(&words));
    }
}
