//! From settings as they are written to settings that hold together: names resolved, what is missing
//! and what contradicts itself reported.

#[cfg(feature = "acme")]
mod acme;
#[cfg(feature = "auth")]
mod auth;
mod channels;
mod headers;
mod health;
mod hidden;
mod loops;
mod overlap;
pub(super) mod program;
pub(super) mod publish;
mod route;
mod shared;
#[cfg(feature = "tls")]
mod tls;
mod upstream;

use std::path::Path;

use self::upstream::Pools;
use super::checked::Config;
use super::checked::rule::RuleLines;
use super::errors::Warnings;
use super::report::{Node, Report};
use super::settings::Settings;
use super::settings::{ClientIp, Drain, Listen};
use super::values::{ListenAddress, ValueError};

/// The settings that were written at `root`. They are whole only if the report has no error.
pub(super) fn config(
    settings: Settings,
    root: &Node<'_>,
    directory: &Path,
    report: &mut Report<'_>,
) -> Config {
    let Settings {
        listen,
        acme,
        issuer,
        client_ip,
        admin,
        publish,
        shared,
        log,
        drain,
        server,
        upstream,
        route,
    } = settings;
    let node = root.get("upstream");
    let upstreams = upstream::upstreams(upstream.clone(), &node, directory, report);
    upstream::warn_unused(&upstreams, &route, &node, report);
    let routes = root.get("route");
    if route.is_empty() && !report.has_lost(root, "route") {
        report.error_of_whole(
            ValueError::new("there is no route, so nothing would be served")
                .help("add a [[route]] with a name, a path and an upstream"),
        );
    }
    overlap::warn(&route, &routes, report);
    health::warn(&server.health_path, &route, &routes, report);
    let mut rule_lines = RuleLines::default();
    let pools = Pools::of(&upstreams, report.has_lost_all(root, "upstream"));
    #[cfg(feature = "auth")]
    let issuers = auth::issuers(issuer.clone(), root, directory, report);
    #[cfg(feature = "auth")]
    issuers.warn_unused(&route, root, report);
    let is_program = !listen.is_empty();
    let context = route::Context {
        pools,
        is_program,
        #[cfg(feature = "auth")]
        auth: auth::AuthContext {
            issuers: &issuers,
            directory,
        },
    };
    let (routes, route) = route::routes(route, &routes, &context, &mut rule_lines, report);
    drop(context);
    check_client_ip(&client_ip, &listen, &root.get("client_ip"), report);
    check_drain(&drain, &root.get("drain"), report);
    let listeners = root.get("listen");
    let listen = program::listeners(listen, &listeners, directory, report);
    #[cfg(feature = "acme")]
    let orders = acme::orders(acme.clone(), root, directory, report);
    let publish =
        publish.map(|publish| publish::listener(publish, &root.get("publish"), directory, report));
    if let Some(publish) = &publish {
        publish::check_address(publish, (&listen, admin.as_ref()), root, directory, report);
        if let Some(admin) = &admin {
            publish::warn_same_token(publish, admin, root, report);
        }
        publish::warn_tickets(publish, &route, root, report);
    }
    #[cfg(feature = "acme")]
    orders.warn_unused(&listen, admin.as_ref(), publish.as_ref(), root, report);
    #[cfg(feature = "tls")]
    let listen_tls = program::listeners_tls(
        &listen,
        #[cfg(feature = "acme")]
        &orders,
        &listeners,
        directory,
        report,
    );
    #[cfg(feature = "tls")]
    let admin_tls = program::table_tls(
        admin.as_ref().and_then(|admin| admin.tls.as_ref()),
        #[cfg(feature = "acme")]
        &orders,
        &root.get("admin"),
        directory,
        report,
    );
    #[cfg(feature = "tls")]
    let publish_tls = program::table_tls(
        publish.as_ref().and_then(|publish| publish.tls.as_ref()),
        #[cfg(feature = "acme")]
        &orders,
        &root.get("publish"),
        directory,
        report,
    );
    #[cfg(feature = "shared")]
    let shared_rules = shared
        .as_ref()
        .and_then(|shared| shared::engine(shared, &root.get("shared"), directory, report));
    #[cfg(not(feature = "shared"))]
    shared::refuse(shared.as_ref(), &root.get("shared"), report);
    // Without a listener of their own these may be the settings of a library, which has none. The
    // program, which then has the default listener, compares that with the servers itself.
    if is_program {
        loops::warn(&listen, &upstreams, root, report);
    }
    Config {
        listen,
        #[cfg(feature = "tls")]
        listen_tls,
        #[cfg(feature = "tls")]
        admin_tls,
        #[cfg(feature = "tls")]
        publish_tls,
        #[cfg(feature = "acme")]
        acme: orders.all,
        has_default_listener: !is_program,
        client_ip,
        admin: admin.map(|admin| program::admin(admin, &root.get("admin"), directory, report)),
        publish,
        #[cfg(feature = "shared")]
        shared: shared_rules,
        log,
        drain,
        server,
        upstreams,
        rule_lines,
        routes,
        written: (upstream, route),
        written_acme: acme,
        written_issuers: hidden::issuers(issuer, root, report),
        written_shared: shared,
        files: report.files().to_vec(),
        warnings: Warnings::default(),
    }
}

fn check_client_ip(
    client_ip: &ClientIp,
    listen: &[Listen],
    node: &Node<'_>,
    report: &mut Report<'_>,
) {
    // The peers of a unix socket are always trusted.
    let is_unix = |listen: &Listen| matches!(listen.address, ListenAddress::Unix(_));
    let trusts_nobody = client_ip.trusted_proxies.is_empty() && !listen.iter().any(is_unix);
    if client_ip.forwarded_host && trusts_nobody {
        let message = "no proxy is trusted, so that no forwarded host is used";
        report.warn(&node.get("forwarded_host"), ValueError::new(message));
    }
    let node = node.get("trusted_proxies");
    for (index, proxy) in client_ip.trusted_proxies.iter().enumerate() {
        if proxy.is_everything() {
            let message = "everybody is a trusted proxy: any client can claim any address";
            report.warn(&node.at(index), ValueError::new(message));
        }
    }
}

fn check_drain(drain: &Drain, node: &Node<'_>, report: &mut Report<'_>) {
    let keys = ["spread", "deadline"].map(|key| node.get(key));
    let set = keys.iter().find(|key| key.is_written());
    if let Some(set) = set.filter(|_| drain.spread > drain.spread_within(drain.deadline)) {
        let message = "the closes are spread over three quarters of the deadline, which is less \
                       than `spread`: the last ones need time to be answered";
        report.warn(set, ValueError::new(message));
    }
}
