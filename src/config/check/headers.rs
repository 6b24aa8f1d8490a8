//! `[route.headers]`, checked against the headers that only the gate may touch.

use std::collections::{BTreeMap, HashMap};

use http::HeaderName;

use crate::config::checked::route::Headers;
use crate::config::report::{Node, Report};
use crate::config::settings::{Forwarded, HeaderSettings};
use crate::config::values::{PathPattern, Secret, Template, ValueError, parse_removed, parse_set};

pub(super) fn headers(
    settings: HeaderSettings,
    path: &PathPattern,
    node: &Node<'_>,
    report: &mut Report<'_>,
) -> Headers {
    let HeaderSettings {
        set,
        remove,
        remove_untrusted,
        forwarded,
    } = settings;
    let sends = forwarded != Forwarded::Off;
    Headers {
        set: self::set(set, path, &node.get("set"), report),
        remove: self::remove(&remove, sends, &node.get("remove"), report),
        remove_untrusted: self::remove(
            &remove_untrusted,
            sends,
            &node.get("remove_untrusted"),
            report,
        ),
        forwarded,
    }
}

fn set(
    written: BTreeMap<String, Secret>,
    path: &PathPattern,
    node: &Node<'_>,
    report: &mut Report<'_>,
) -> Vec<(HeaderName, Template)> {
    let mut set: Vec<(HeaderName, Template)> = Vec::with_capacity(written.len());
    let mut first: HashMap<HeaderName, String> = HashMap::with_capacity(written.len());
    for (key, value) in node.in_file_order(written) {
        let name = match parse_set(&key) {
            Ok(name) => name,
            Err(problem) => {
                report.error(&node.name(&key), problem);
                continue;
            }
        };
        if let Some(first) = first.get(&name) {
            let problem = ValueError::new(format!("`{name}` is set twice"));
            report.duplicate(&node.name(&key), &node.name(first), problem);
        }
        first.entry(name.clone()).or_insert_with(|| key.clone());
        match Template::parse(value.expose(), path) {
            Ok(template) => set.push((name, template)),
            Err(problem) => report.error(&node.get(&key), problem),
        }
    }
    // Headers of `[defaults]` stand elsewhere in the file: the order is that of the names.
    set.sort_by(|(one, _), (other, _)| one.as_str().cmp(other.as_str()));
    set
}

fn remove(
    written: &[String],
    sends_forwarding: bool,
    node: &Node<'_>,
    report: &mut Report<'_>,
) -> Vec<HeaderName> {
    let mut remove = Vec::with_capacity(written.len());
    for (index, text) in written.iter().enumerate() {
        match parse_removed(text, sends_forwarding) {
            Ok(name) => remove.push(name),
            Err(problem) => report.error(&node.at(index), problem),
        }
    }
    remove
}
