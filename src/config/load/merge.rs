//! `[defaults]`: what holds for every route that does not say otherwise, key by key.

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::{hints, read};
use crate::config::report::Report;

/// Takes `[defaults]` out of the file, and puts what is in it into every route.
pub(super) fn defaults(root: &mut Spanned<DeValue<'_>>, report: &mut Report<'_>) {
    let DeValue::Table(root) = root.get_mut() else {
        return;
    };
    let Some(mut defaults) = root.remove(hints::DEFAULTS) else {
        return;
    };
    // What is wrong in it is reported here, and not in each route again.
    read::defaults(&mut defaults, report);
    let routes = root.get_mut("route").map(Spanned::get_mut);
    let (DeValue::Table(defaults), Some(DeValue::Array(routes))) = (defaults.get_ref(), routes)
    else {
        return;
    };
    for route in routes.iter_mut() {
        if let DeValue::Table(route) = route.get_mut() {
            merge(route, defaults);
        }
    }
}

/// Fills in what `own` does not say: a table goes on key by key, anything else of its own replaces
/// what it overrides.
fn merge<'i>(own: &mut DeTable<'i>, defaults: &DeTable<'i>) {
    for (key, default) in defaults {
        let name = key.get_ref();
        // Headers that are set add up, whatever the case of their names: no other keys differ in it.
        let same = own
            .keys()
            .find(|own| own.get_ref().eq_ignore_ascii_case(name));
        let Some(same) = same.cloned() else {
            own.insert(key.clone(), default.clone());
            continue;
        };
        let own = own.get_mut(&**same.get_ref()).map(Spanned::get_mut);
        if let (Some(DeValue::Table(own)), DeValue::Table(default)) = (own, default.get_ref())
            && !is_rate(name, default)
        {
            merge(own, default);
        }
    }
}

/// A rate is one value, even where it is written as a table. A header that is `set` may have the name
/// of its key.
fn is_rate(key: &str, table: &DeTable<'_>) -> bool {
    key != "set" && table.contains_key("rate")
}
