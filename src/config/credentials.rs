//! What may be a password or a token in the URL of a server, however the URL is misspelled.

use std::ops::Range;

use toml::de::DeValue;

/// Whether a value, or one within it, has what reads like a user or a query.
pub(super) fn are_in(value: &DeValue<'_>) -> bool {
    match value {
        DeValue::String(text) => find(text).next().is_some(),
        DeValue::Array(list) => list.iter().any(|entry| are_in(entry.get_ref())),
        DeValue::Table(table) => table.values().any(|value| are_in(value.get_ref())),
        _ => false,
    }
}

/// The parts of a text that read like a user with a password, and like a query.
///
/// Behind `://` that is all before the last `@`, and all behind the first `?`. A scheme may be missing
/// or misspelled: then a text that is no path is searched too, for `@` and for a query with a value.
pub(super) fn find(text: &str) -> impl Iterator<Item = Range<usize>> {
    let behind_scheme = text.find("://").map(|scheme| scheme + "://".len());
    let is_path = text.starts_with("unix:") || text.starts_with('/') && !text.starts_with("//");
    let (start, end) = match (behind_scheme, is_path) {
        (Some(start), _) => (start, text.len()),
        (None, true) => (0, 0),
        (None, false) => (0, text.len()),
    };
    let url = &text[start..end];
    let user = url.rfind('@').map(|at| start..start + at);
    let query = url.find('?').map(|at| start + at + 1..end);
    let query = query.filter(|query| behind_scheme.is_some() || text[query.clone()].contains('='));
    [user, query].into_iter().flatten()
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case::user("ws://user:hunter2@a:1/b", "ws://@a:1/b")]
    #[case::user_without_a_password("ws://hunter2@b", "ws://@b")]
    #[case::several_signs("ws://a:hunter2/@hunter2@b", "ws://@b")]
    #[case::query("ws://a?hunter2", "ws://a?")]
    #[case::no_scheme("user:hunter2@a:1/b", "@a:1/b")]
    #[case::no_name_of_the_scheme("//user:hunter2@a", "@a")]
    #[case::one_slash("ws:/user:hunter2@a", "@a")]
    #[case::no_slash("wss:user:hunter2@a", "@a")]
    #[case::no_colon("ws//user:hunter2@a", "@a")]
    #[case::query_without_a_scheme("a:1/b?token=hunter2", "a:1/b?")]
    #[case::plain("ws://a:1/b", "ws://a:1/b")]
    #[case::path("/@scope/{name}?a=b", "/@scope/{name}?a=b")]
    #[case::socket("unix:/run/a@b:/c", "unix:/run/a@b:/c")]
    #[case::expression("^/ws/?.*$", "^/ws/?.*$")]
    fn a_user_and_a_query_are_found(#[case] text: &str, #[case] left: &str) {
        let found: Vec<_> = find(text).collect();
        let is_found = |at: &usize| found.iter().any(|range| range.contains(at));
        let rest = text.char_indices().filter(|(at, _)| !is_found(at));
        let rest: String = rest.map(|(_, character)| character).collect();
        assert_eq!(rest, left);
    }
}
