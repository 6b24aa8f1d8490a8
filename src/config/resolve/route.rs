//! `[[route]]`: one route with the defaults filled in.

mod headers;
mod rules;

use toml::Spanned;

use super::upstream::Upstreams;
use crate::close::CloseCode;
use crate::config::error::Problem;
use crate::config::file::{RouteTable, Rules};
use crate::config::reader::{FromToml, Reader, Setting};
use crate::config::{Compression, HostPattern, PathPattern, PlainHttp, Rewrite, Route};

/// The table with what `[defaults]` says where it says nothing itself.
pub(super) fn with_defaults(route: Setting<RouteTable>, defaults: &Rules) -> Setting<RouteTable> {
    match route {
        Setting::Given(route) => {
            let span = route.span();
            let mut table = route.into_inner();
            table.rules = table.rules.or_defaults(defaults);
            Setting::Given(Spanned::new(span, table))
        }
        other => other,
    }
}

/// Reports names that two routes have.
pub(super) fn check_names(tables: &[Setting<RouteTable>], reader: &mut Reader<'_>) {
    let names: Vec<_> = (tables.iter())
        .filter_map(|table| table.get()?.name.given())
        .collect();
    for (index, name) in names.iter().enumerate() {
        if let Some(first) = names[..index].iter().find(|first| first == &name) {
            let line = reader.line(&first.span());
            let problem = Problem::new(format!("two routes have the name `{}`", name.get_ref().0))
                .help(format!("the other one stands in line {line}"));
            reader.error(name.span(), problem);
        }
    }
}

/// The route, if its own keys are right.
pub(super) fn route(
    table: &RouteTable,
    upstreams: &Upstreams,
    reader: &mut Reader<'_>,
) -> Option<Route> {
    let upstream = (table.upstream.given()).and_then(|name| upstreams.find(name, reader));
    let path = table.path.get().map(|path| &path.0);
    let (compression, validate_utf8) = compression(&table.rules, reader);
    let rewrite = path.and_then(|path| rewrite(table, path, reader));
    let headers = path.map(|path| headers::headers(&table.rules.headers.table(), path, reader));
    let limits = rules::limits(&table.rules.limits.table(), reader);
    Some(Route {
        name: table.name.get()?.0.as_str().into(),
        hosts: hosts(table),
        path: path?.clone(),
        subprotocols: subprotocols(table),
        upstream: upstream?,
        rewrite,
        rewrite_is_filled: (table.rewrite.given())
            .is_some_and(|written| reader.is_filled(&written.span())),
        http: table.rules.http.or(PlainHttp::default()),
        compression,
        validate_utf8,
        upstream_lost: table.rules.upstream_lost.or(CloseCode::INTERNAL_ERROR),
        origin: rules::origin(&table.rules.origin.table()),
        address: rules::address(&table.rules.address.table()),
        limits,
        keepalive: rules::keepalive(&table.rules.keepalive.table()),
        timeouts: rules::timeouts(&table.rules.timeouts.table()),
        headers: headers?,
    })
}

fn hosts(table: &RouteTable) -> Vec<HostPattern> {
    let hosts = table.host.get().map_or(&[][..], |hosts| &hosts.0);
    (hosts.iter().filter_map(Setting::get))
        .map(|host| host.0.clone())
        .collect()
}

fn subprotocols(table: &RouteTable) -> Vec<String> {
    let subprotocols = table.subprotocols.table();
    (subprotocols.iter().filter_map(Setting::get))
        .map(|subprotocol| subprotocol.0.clone())
        .collect()
}

fn rewrite(table: &RouteTable, path: &PathPattern, reader: &mut Reader<'_>) -> Option<Rewrite> {
    let written = table.rewrite.given()?;
    match Rewrite::parse(written.get_ref(), path) {
        Ok(rewrite) => Some(rewrite),
        Err(error) => {
            reader.error(written.span(), error);
            None
        }
    }
}

/// Text can be checked only where it is not compressed.
fn compression(rules: &Rules, reader: &mut Reader<'_>) -> (Compression, bool) {
    let validate = rules.validate_utf8.or(false);
    let default = match validate {
        true => Compression::Off,
        false => Compression::default(),
    };
    if let (true, Some(compression)) = (validate, rules.compression.given())
        && *compression.get_ref() == Compression::Passthrough
    {
        let problem = Problem::new("compressed text cannot be validated")
            .label("with `validate_utf8 = true`")
            .help("leave `compression` out, or set it to \"off\"");
        reader.error(compression.span(), problem);
    }
    (rules.compression.or(default), validate)
}
