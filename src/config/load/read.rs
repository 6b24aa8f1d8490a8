//! Reads settings out of a parsed file, with every error at once: what is wrong is reported and
//! taken out, and the rest is read again.

use serde::de::DeserializeOwned;
use toml::Spanned;
use toml::de::{DeArray, DeTable, DeValue};

use super::reader::{Kind, ReadError, Reader, Step};
use crate::config::report::{Node, Report, joined};
use crate::config::settings::Settings;
use crate::config::settings::{OWN_KEYS, RouteSettings, UpstreamSettings};
use crate::config::values::{ValueError, nearest};

/// The table that is merged into the routes: a key of files only.
pub(super) const DEFAULTS: &str = "defaults";

/// The settings of a file whose `[defaults]` have been merged into its routes.
pub(super) fn settings(root: &mut Spanned<DeValue<'_>>, report: &mut Report<'_>) -> Settings {
    // Each for itself, so that a mistake in every one of them does not take the square of the time.
    if let Some(DeValue::Array(routes)) = entry(root, "route") {
        for (index, route) in routes.iter_mut().enumerate() {
            read::<RouteSettings>(route, &format!("route[{index}]"), report);
        }
    }
    if let Some(DeValue::Table(upstreams)) = entry(root, "upstream") {
        for (name, upstream) in upstreams.iter_mut() {
            let key = joined("upstream", name.get_ref());
            read::<UpstreamSettings>(upstream, &key, report);
        }
    }
    read(root, "", report).unwrap_or_default()
}

/// Checks `[defaults]`: a route without what is a route's own.
pub(super) fn defaults(value: &mut Spanned<DeValue<'_>>, report: &mut Report<'_>) {
    if let DeValue::Table(table) = value.get_ref() {
        let own: Vec<_> = (table.keys().map(|key| key.get_ref().to_string()))
            .filter(|key| OWN_KEYS.contains(&key.as_str()))
            .collect();
        for key in own {
            let table = Node::new(value, DEFAULTS);
            let known = known_keys::<RouteSettings>(DEFAULTS, &[]);
            let below = keys_below::<RouteSettings>(&[], &known, &key);
            report.error(&table.name(&key), unknown_key(&key, &known, &below));
            remove(value, &[Step::Key(key)], report);
        }
    }
    read::<RouteSettings>(value, DEFAULTS, report);
}

/// Reads the value of `key`; `None` where nothing can be read even when all that is wrong has been
/// taken out.
pub(super) fn read<T: DeserializeOwned>(
    value: &mut Spanned<DeValue<'_>>,
    key: &str,
    report: &mut Report<'_>,
) -> Option<T> {
    while !report.is_full() {
        let ReadError { kind, mut path } = match T::deserialize(Reader(value)) {
            Ok(read) => return Some(read),
            Err(error) => error,
        };
        path.reverse();
        let node = node_at(value, key, &path);
        match kind {
            Kind::Value(problem) => report.error(&node, problem),
            Kind::Type(problem) => report.error_of_form(&node, problem),
            Kind::Mismatch(expected) => {
                report.error_of_form(&node, ValueError::new(format!("expected {expected}")));
            }
            Kind::MissingKey(key) => report.missing(&node, key),
            Kind::NoTable(problem) => {
                let problem = match is_pool(key, &path) {
                    true => problem
                        .help("the header of a pool is [upstream.NAME], with a name of yours"),
                    false => problem,
                };
                report.error_of_form(&node, problem);
                if let Some(value) = find(value, &path) {
                    report.remove_all(value.span());
                    *value.get_mut() = DeValue::Table(DeTable::new());
                    continue;
                }
            }
            Kind::UnknownKey {
                key: unknown,
                known: _,
            } => {
                let known = known_keys::<T>(key, &path);
                let mut below = keys_below::<T>(&path, &known, &unknown);
                if known.contains(&DEFAULTS) {
                    let keys = known_keys::<RouteSettings>(DEFAULTS, &[]);
                    let places = keys_below::<RouteSettings>(&[], &keys, &unknown);
                    let own = keys.contains(&&*unknown).then(|| unknown.clone());
                    let places = own.into_iter().chain(places);
                    below.extend(places.map(|place| joined(DEFAULTS, &place)));
                }
                let name = node.name(&unknown);
                let above = table_above::<T>(key, &path, &unknown);
                let problem = match above {
                    None => unknown_key(&unknown, &known, &below),
                    Some(depth) => too_low(&unknown, key, &path, depth),
                };
                report.error(&name, problem);
                let lost = above.and_then(|depth| node_at(value, key, &path[..depth]).span());
                if let Some(table) = lost {
                    // It is not missing there: it stands too low.
                    report.remove(table, &unknown);
                }
                let meant = nearest(&unknown, known.iter().copied());
                if meant.is_none() && below.is_empty() && above.is_none() {
                    report.hide(name.span());
                }
                if let (Some(meant), Some(table)) = (meant, node.span()) {
                    // It is not missing: it is mistyped.
                    report.remove(table, meant);
                }
                path.push(Step::Key(unknown));
            }
        }
        if !remove(value, &path, report) {
            return None;
        }
    }
    None
}

/// What stands at `path` in the value of `key`.
fn node_at<'t>(value: &'t Spanned<DeValue<'t>>, key: &str, path: &[Step]) -> Node<'t> {
    path.iter()
        .fold(Node::new(value, key), |node, step| match step {
            Step::Key(key) => node.get(key),
            Step::Index(index) => node.at(*index),
        })
}

/// Whether a pool of servers, or the table of all of them, would stand there.
fn is_pool(key: &str, path: &[Step]) -> bool {
    match path {
        [] => key.starts_with("upstream."),
        [Step::Key(table)] => key.is_empty() && table == "upstream",
        _ => false,
    }
}

/// How deep the innermost table around the one at `path` is that has such a key, if one has: what
/// stands behind the header of a table belongs to that table.
fn table_above<T: DeserializeOwned>(key: &str, path: &[Step], unknown: &str) -> Option<usize> {
    let depths = (0..path.len()).rev();
    let mut tables = depths.filter(|depth| !key.is_empty() || *depth > 0);
    tables.find(|depth| known_keys::<T>(key, &path[..*depth]).contains(&unknown))
}

fn too_low(unknown: &str, key: &str, path: &[Step], depth: usize) -> ValueError {
    let (above, here) = (header(key, &path[..depth]), header(key, path));
    ValueError::new(format!("unknown key `{unknown}`"))
        .label("no such key here")
        .help(format!("it is a key of {above}: write it above {here}"))
}

/// The header of the table at `path` in the value of `key`, as a file has it.
fn header(key: &str, path: &[Step]) -> String {
    let (table, is_entry) = match key.split_once('[') {
        Some((list, _)) => (list, path.is_empty()),
        None => (key, false),
    };
    let keys = path.iter().filter_map(|step| match step {
        Step::Key(key) => Some(key.as_str()),
        Step::Index(_) => None,
    });
    let name = keys.fold(table.to_owned(), |table, key| joined(&table, key));
    match is_entry {
        true => format!("[[{name}]]"),
        false => format!("[{name}]"),
    }
}

fn unknown_key(unknown: &str, known: &[&str], below: &[String]) -> ValueError {
    let problem = ValueError::new(format!("unknown key `{unknown}`")).label("no such key here");
    match below.is_empty() {
        false => problem.help(format!("it is written `{}` here", below.join("` or `"))),
        true => problem
            .did_you_mean(unknown, known.iter().copied())
            .or_help(format!("the keys here are {}", known.join(", "))),
    }
}

/// The keys of the table at `path` in a `T` that is the value of `key`.
fn known_keys<T: DeserializeOwned>(key: &str, path: &[Step]) -> Vec<&'static str> {
    let mut known = keys_of::<T>(path).to_vec();
    match (key, path) {
        ("", []) => known.push(DEFAULTS),
        (DEFAULTS, []) => known.retain(|key| !OWN_KEYS.contains(key)),
        _ => {}
    }
    known
}

/// Where a key stands in the tables below the one at `path`.
fn keys_below<T: DeserializeOwned>(path: &[Step], keys: &[&str], wanted: &str) -> Vec<String> {
    let mut found = Vec::new();
    for key in keys {
        let path = [path, &[Step::Key((*key).to_owned())]].concat();
        let inner = keys_of::<T>(&path);
        if inner.contains(&wanted) {
            found.push(joined(key, wanted));
        }
        let deeper = keys_below::<T>(&path, inner, wanted);
        found.extend(deeper.iter().map(|place| joined(key, place)));
    }
    found
}

/// The keys of the table at `path` in a `T`, as serde names them where it does not know one; none
/// if there is no table.
fn keys_of<T: DeserializeOwned>(path: &[Step]) -> &'static [&'static str] {
    let unspanned = |value| Spanned::new(0..0, value);
    let table = |key: &str, value| {
        let key = Spanned::new(0..0, key.to_owned().into());
        DeValue::Table(DeTable::from_iter([(key, unspanned(value))]))
    };
    let unknown = table("", DeValue::Boolean(true));
    let value = path.iter().rev().fold(unknown, |value, step| match step {
        Step::Key(key) => table(key, value),
        Step::Index(_) => DeValue::Array([unspanned(value)].into_iter().collect()),
    });
    match T::deserialize(Reader(&unspanned(value))) {
        Err(ReadError {
            kind: Kind::UnknownKey { known, .. },
            path: found,
        }) if found.len() == path.len() => known,
        _ => &[],
    }
}

/// Takes what stands at `path` out of `value`; `false` if nothing does.
fn remove(value: &mut Spanned<DeValue<'_>>, path: &[Step], report: &mut Report<'_>) -> bool {
    let Some((step, outer)) = path.split_last() else {
        return false;
    };
    let Some(container) = find(value, outer) else {
        return false;
    };
    let span = container.span();
    match (container.get_mut(), step) {
        (DeValue::Table(table), Step::Key(name)) => {
            report.remove(span, name);
            table.remove(name.as_str()).is_some()
        }
        (DeValue::Array(list), Step::Index(index)) if *index < list.len() => {
            report.remove(span, index);
            let entries = std::mem::replace(list, DeArray::new())
                .into_iter()
                .enumerate();
            let others = entries.filter(|(other, _)| other != index);
            *list = others.map(|(_, entry)| entry).collect();
            true
        }
        _ => false,
    }
}

fn find<'v, 'i>(
    value: &'v mut Spanned<DeValue<'i>>,
    path: &[Step],
) -> Option<&'v mut Spanned<DeValue<'i>>> {
    path.iter()
        .try_fold(value, |value, step| match (value.get_mut(), step) {
            (DeValue::Table(table), Step::Key(key)) => table.get_mut(key.as_str()),
            (DeValue::Array(list), Step::Index(index)) => list.get_mut(*index),
            _ => None,
        })
}

fn entry<'v, 'i>(root: &'v mut Spanned<DeValue<'i>>, key: &str) -> Option<&'v mut DeValue<'i>> {
    find(root, &[Step::Key(key.to_owned())]).map(Spanned::get_mut)
}
