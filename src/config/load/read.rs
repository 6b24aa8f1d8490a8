//! Reads settings out of a parsed file, with every error at once: what is wrong is reported and
//! taken out, and the rest is read again.

use serde::de::DeserializeOwned;
use toml::Spanned;
use toml::de::{DeArray, DeTable, DeValue};

use super::hints::{self, DEFAULTS};
use super::reader::{Kind, ReadError, Reader, Step};
use crate::config::report::{Node, Report, joined};
use crate::config::settings::Settings;
use crate::config::settings::{
    AcmeSettings, IssuerSettings, OWN_KEYS, RouteSettings, UpstreamSettings,
};
use crate::config::values::{ValueError, nearest};

/// The settings of a file whose `[defaults]` have been merged into its routes.
pub(super) fn settings(root: &mut Spanned<DeValue<'_>>, report: &mut Report<'_>) -> Settings {
    // Each for itself, so that a mistake in every one of them does not take the square of the time.
    if let Some(DeValue::Array(routes)) = entry(root, "route") {
        for (index, route) in routes.iter_mut().enumerate() {
            read::<RouteSettings>(route, &format!("route[{index}]"), report);
        }
    }
    unnamed_pool(root, report);
    if let Some(DeValue::Table(upstreams)) = entry(root, "upstream") {
        for (name, upstream) in upstreams.iter_mut() {
            let key = joined("upstream", name.get_ref());
            read::<UpstreamSettings>(upstream, &key, report);
        }
    }
    if let Some(DeValue::Table(orders)) = entry(root, "acme") {
        for (name, order) in orders.iter_mut() {
            let key = joined("acme", name.get_ref());
            read::<AcmeSettings>(order, &key, report);
        }
    }
    if let Some(DeValue::Table(issuers)) = entry(root, "issuer") {
        for (name, issuer) in issuers.iter_mut() {
            let key = joined("issuer", name.get_ref());
            read::<IssuerSettings>(issuer, &key, report);
        }
    }
    read(root, "", report).unwrap_or_default()
}

/// Reports a table `[upstream]` with the keys of a pool, and takes it out: one mistake, and not one in
/// each key.
fn unnamed_pool(root: &mut Spanned<DeValue<'_>>, report: &mut Report<'_>) {
    let Some(upstream) = find(root, &[Step::Key("upstream".to_owned())]) else {
        return;
    };
    let known = keys_of::<UpstreamSettings>(&[]);
    let is_pool = upstream.get_ref().as_table().is_some_and(|table| {
        let mut entries = table.iter();
        entries.any(|(key, value)| known.contains(&&**key.get_ref()) && !value.get_ref().is_table())
    });
    if is_pool {
        let problem = ValueError::new("this table has the keys of a pool, and no name");
        let problem = problem.help(hints::pool(upstream.get_ref(), report));
        report.error_of_form(&Node::new(upstream, "upstream"), problem);
        report.remove_all(upstream.span());
        *upstream.get_mut() = DeValue::Table(DeTable::new());
    }
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
            let problem = ValueError::new(format!("unknown key `{key}`"))
                .label("no such key here")
                .help(format!(
                    "each [[route]] has its own; the keys here are {}",
                    known.join(", ")
                ));
            report.error(&table.name(&key), problem);
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
            Kind::Type(problem) => {
                let problem = hints::of_type(problem, key, &path, &node, &[], report);
                report.error_of_form(&node, problem);
            }
            Kind::Mismatch(expected) => {
                report.error_of_form(&node, ValueError::new(format!("expected {expected}")));
            }
            Kind::MissingKey(key) => report.missing(&node, key),
            Kind::NoTable(problem) => {
                let known = known_keys::<T>(key, &path);
                let problem = hints::of_type(problem, key, &path, &node, &known, report);
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
                let name = node.name(&unknown);
                let unknown_key = unknown_key::<T>(key, &path, &unknown);
                report.error(&name, unknown_key.problem);
                if let Some(depth) = unknown_key.above
                    && let Some(table) = node_at(value, key, &path[..depth]).span()
                {
                    // It is not missing there: it stands too low.
                    report.remove(table, &unknown);
                }
                if unknown_key.says_nothing {
                    report.hide(name.span());
                }
                if let (Some(meant), Some(table)) = (unknown_key.meant, node.span()) {
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

/// How deep the innermost table around the one at `path` is that has such a key, if one has: what
/// stands behind the header of a table belongs to that table.
fn table_above<T: DeserializeOwned>(key: &str, path: &[Step], unknown: &str) -> Option<usize> {
    let depths = (0..path.len()).rev();
    let mut tables = depths.filter(|depth| !key.is_empty() || *depth > 0);
    tables.find(|depth| known_keys::<T>(key, &path[..*depth]).contains(&unknown))
}

/// What is wrong with a key, and what was probably meant.
struct UnknownKey {
    problem: ValueError,
    /// How deep the table is that it should have been written in.
    above: Option<usize>,
    /// The key of the same table that was meant.
    meant: Option<&'static str>,
    /// Whether nothing is known of it, so that its value may be anything.
    says_nothing: bool,
}

fn unknown_key<T: DeserializeOwned>(key: &str, path: &[Step], unknown: &str) -> UnknownKey {
    let known = known_keys::<T>(key, path);
    let above = table_above::<T>(key, path, unknown);
    let below = places_below::<T>(path, &known, unknown);
    let word = hints::meant(key, path, unknown);
    let slip = nearest(unknown, known.iter().copied());
    let problem = ValueError::new(format!("unknown key `{unknown}`")).label("no such key here");
    let help = match (above, word, slip) {
        (Some(depth), _, _) => {
            let (above, here) = (hints::header(key, &path[..depth]), hints::header(key, path));
            format!("it is a key of {above}: write it above {here}")
        }
        (None, Some(word), _) => format!("it is called `{word}` here"),
        (None, None, _) if !below.is_empty() => {
            format!("it is written `{}` here", below.join("` or `"))
        }
        (None, None, Some(slip)) => format!("did you mean `{slip}`?"),
        (None, None, None) => (hints::missing(unknown).map(str::to_owned))
            .or_else(|| elsewhere(key, unknown))
            .unwrap_or_else(|| format!("the keys here are {}", known.join(", "))),
    };
    let is_here = |word: &&str| known.contains(word);
    UnknownKey {
        problem: problem.help(help),
        above,
        meant: word.filter(is_here).or(slip),
        says_nothing: above.is_none() && word.is_none() && slip.is_none() && below.is_empty(),
    }
}

/// Where a key stands in the tables below the one at `path`, and in `[defaults]`.
fn places_below<T: DeserializeOwned>(path: &[Step], known: &[&str], unknown: &str) -> Vec<String> {
    let mut below = keys_below::<T>(path, known, unknown);
    if known.contains(&DEFAULTS) {
        let keys = known_keys::<RouteSettings>(DEFAULTS, &[]);
        let places = keys_below::<RouteSettings>(&[], &keys, unknown);
        let own = keys.contains(&unknown).then(|| unknown.to_owned());
        let places = own.into_iter().chain(places);
        below.extend(places.map(|place| joined(DEFAULTS, &place)));
    }
    below
}

/// A key of a route that stands in a pool, or the other way.
fn elsewhere(key: &str, unknown: &str) -> Option<String> {
    let table = if key.starts_with("upstream.") && keys_of::<RouteSettings>(&[]).contains(&unknown)
    {
        "[[route]]"
    } else if !key.is_empty() && keys_of::<UpstreamSettings>(&[]).contains(&unknown) {
        "[upstream.NAME]"
    } else {
        return None;
    };
    Some(format!("it is a key of {table}"))
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
