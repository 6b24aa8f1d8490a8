//! From the file as it is written to settings that hold together: names resolved, defaults filled
//! in, contradictions reported.

mod overlap;
mod program;
mod route;
mod upstream;

use std::sync::Arc;

use super::error::Problem;
use super::file::{ClientIpTable, DrainTable, File, RouteTable};
use super::reader::{Reader, Setting};
use super::{ClientIp, Config, Drain, Route};

#[cfg(feature = "server")]
pub(super) use program::admin_as_written;

/// The settings that the file means. They are whole only if the reader has seen no error.
pub(super) fn config(file: &File, reader: &mut Reader<'_>) -> Config {
    let upstreams = upstream::upstreams(&file.upstream, reader);
    let tables = file.route.table();
    let defaults = file.defaults.table();
    let tables: Vec<Setting<RouteTable>> = tables
        .into_iter()
        .map(|table| route::with_defaults(table, &defaults))
        .collect();
    if file.route.is_absent() || file.route.get().is_some_and(Vec::is_empty) {
        reader.error_of_file(
            Problem::new("there is no route, so nothing would be served")
                .help("add a [[route]] with a name, a path and an upstream"),
        );
    }
    route::check_names(&tables, reader);
    let routes = routes(&tables, &upstreams, reader);
    upstreams.warn_unused(&tables, reader);
    overlap::warn(&tables, reader);
    Config {
        listen: program::listeners(&file.listen, reader),
        client_ip: client_ip(&file.client_ip.table(), reader),
        admin: (file.admin.get()).and_then(|table| program::admin(table, reader)),
        log: program::log(&file.log.table()),
        drain: drain(&file.drain.table(), reader),
        server: program::server(&file.server.table()),
        upstreams: upstreams.into_pools(),
        routes,
        warnings: Vec::new(),
    }
}

fn routes(
    tables: &[Setting<RouteTable>],
    upstreams: &upstream::Upstreams,
    reader: &mut Reader<'_>,
) -> Vec<Arc<Route>> {
    (tables.iter().filter_map(Setting::get))
        .filter_map(|table| route::route(table, upstreams, reader))
        .map(Arc::new)
        .collect()
}

fn client_ip(table: &ClientIpTable, reader: &mut Reader<'_>) -> ClientIp {
    let default = ClientIp::default();
    let proxies = table.trusted_proxies.table();
    for proxy in proxies.iter().filter_map(Setting::given) {
        if proxy.get_ref().prefix_len() == 0 {
            let message = "everybody is a trusted proxy: any client can claim any address";
            reader.warn(&proxy.span(), message);
        }
    }
    ClientIp {
        trusted_proxies: proxies.iter().filter_map(Setting::get).copied().collect(),
        header: table.header.or(default.header),
        ipv6_prefix: (table.ipv6_prefix.get())
            .and_then(|bits| u8::try_from(bits.get()).ok())
            .unwrap_or(default.ipv6_prefix),
        tracked: (table.tracked.get()).map_or(default.tracked, |number| number.as_usize()),
    }
}

fn drain(table: &DrainTable, reader: &mut Reader<'_>) -> Drain {
    let default = Drain::default();
    let drain = Drain {
        close_code: table.close_code.or(default.close_code),
        spread: table.spread.or(default.spread),
        deadline: table.deadline.or(default.deadline),
    };
    let set = table.spread.given().map(toml::Spanned::span);
    let set = set.or_else(|| table.deadline.given().map(toml::Spanned::span));
    if let Some(span) = set.filter(|_| drain.spread > drain.spread_within(drain.deadline)) {
        let message = "the closes are spread over three quarters of the deadline, which is less \
                       than `spread`: the last ones need time to be answered";
        reader.warn(&span, message);
    }
    drain
}
