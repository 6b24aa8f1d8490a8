//! Warns of routes that no request can reach, because an earlier one takes everything they could.

mod index;

use self::index::Index;
use crate::config::report::{Node, Report};
use crate::config::settings::RouteSettings;
use crate::config::values::ValueError;

/// Warns of every route that an earlier one covers.
pub(super) fn warn(routes: &[RouteSettings], node: &Node<'_>, report: &mut Report<'_>) {
    let mut index = Index::default();
    for (number, route) in routes.iter().enumerate() {
        if let Some(earlier) = index.find_or_add(number, route) {
            let first = node.at(earlier);
            let message = format!(
                "this route never matches: the one {} takes all of its requests",
                report.place(&first)
            );
            let label = "it takes all of its requests";
            report.warn_with(&node.at(number), (&first, label), ValueError::new(message));
        }
    }
}

#[cfg(test)]
mod tests;
