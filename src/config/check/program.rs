//! What only the program uses: its listeners.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::Path;
#[cfg(feature = "tls")]
use std::sync::Arc;

#[cfg(feature = "acme")]
use super::acme::Orders;
#[cfg(feature = "tls")]
use super::tls::Reported;
use crate::config::report::{Node, Report};
#[cfg(feature = "tls")]
use crate::config::settings::ListenTls;
use crate::config::settings::http_versions::HttpVersions;
use crate::config::settings::{Admin, Listen, ProxyProtocol};
use crate::config::values::{ListenAddress, ValueError, check_token};
#[cfg(feature = "tls")]
use crate::tls::{OrderedCertificate, ServerTls};

/// The listener of settings that name none.
const DEFAULT_LISTEN: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 8080);

pub(super) fn listeners(
    written: Vec<Listen>,
    node: &Node<'_>,
    directory: &Path,
    report: &mut Report<'_>,
) -> Vec<Listen> {
    let mut listeners: Vec<Listen> = Vec::new();
    let mut first = HashMap::new();
    for (index, listen) in written.into_iter().enumerate() {
        check_http(&listen, &node.at(index).get("http"), report);
        let http = Some(listen.http());
        let address = absolute(listen.address, directory);
        let earlier = *first.entry(address.clone()).or_insert(index);
        if earlier < index {
            let problem = ValueError::new("this address is listened on already");
            let [again, first] = [index, earlier].map(|index| node.at(index).get("address"));
            report.duplicate(&again, &first, problem);
        }
        check_proxies(&listen.proxy_protocol, &address, &node.at(index), report);
        listeners.push(Listen {
            address,
            http,
            ..listen
        });
    }
    if listeners.is_empty() {
        let default = Listen::from(ListenAddress::Tcp(DEFAULT_LISTEN));
        let http = Some(default.http());
        listeners.push(Listen { http, ..default });
    }
    listeners
}

/// A listener that speaks no version of HTTP has no clients.
fn check_http(listen: &Listen, node: &Node<'_>, report: &mut Report<'_>) {
    let is_empty = listen.http.is_some_and(HttpVersions::is_empty);
    if is_empty && !report.has_lost_any(node) {
        let problem = ValueError::new("no version of HTTP is named here");
        report.error(
            node,
            problem.help("write [\"h1\", \"h2\"], or one of the two"),
        );
    }
}

/// TLS of the listeners that have it.
#[cfg(feature = "tls")]
pub(super) fn listeners_tls(
    listeners: &[Listen],
    #[cfg(feature = "acme")] orders: &Orders,
    node: &Node<'_>,
    directory: &Path,
    report: &mut Report<'_>,
) -> Vec<(ListenAddress, ServerTls)> {
    let mut all = Vec::new();
    for (index, listen) in listeners.iter().enumerate() {
        let settings = listen.tls.as_ref();
        let node = node.at(index);
        let settings = settings.filter(|_| !report.has_lost(&node, "tls"));
        let node = node.get("tls");
        let tls = settings.and_then(|tls| {
            #[cfg(feature = "acme")]
            let ordered = ordered(tls, orders, &node, report);
            #[cfg(not(feature = "acme"))]
            let ordered = ordered(tls, &node, report);
            super::tls::listener(tls, ordered, &node, directory, report)
        });
        all.extend(tls.map(|tls| (listen.address.clone(), tls)));
    }
    all
}

/// The certificate that a listener shows after those of files.
#[cfg(feature = "acme")]
fn ordered(
    tls: &ListenTls,
    orders: &Orders,
    node: &Node<'_>,
    report: &mut Report<'_>,
) -> Result<Option<Arc<OrderedCertificate>>, Reported> {
    let Some(name) = &tls.acme else {
        return Ok(None);
    };
    let order = orders.find(name, &node.get("acme"), report);
    order
        .map(|order| Some(Arc::clone(&order.certificate)))
        .ok_or(Reported)
}

/// There is none in this build.
#[cfg(all(feature = "tls", not(feature = "acme")))]
fn ordered(
    tls: &ListenTls,
    node: &Node<'_>,
    report: &mut Report<'_>,
) -> Result<Option<Arc<OrderedCertificate>>, Reported> {
    if tls.acme.is_none() {
        return Ok(None);
    }
    let problem = ValueError::new("this build of wsgate orders no certificates")
        .help("build it with the feature `acme`");
    report.error(&node.get("acme"), problem);
    Err(Reported)
}

/// A listener that would serve nobody, or believe everybody.
fn check_proxies(
    setting: &ProxyProtocol,
    address: &ListenAddress,
    node: &Node<'_>,
    report: &mut Report<'_>,
) {
    let ProxyProtocol::From(proxies) = setting else {
        return;
    };
    let node = node.get("proxy_protocol").get("from");
    let is_tcp = matches!(address, ListenAddress::Tcp(_));
    if is_tcp && proxies.is_empty() && !report.has_lost_any(&node) {
        let problem = ValueError::new("no proxy may connect, so that nobody is served")
            .help("list the networks of your proxies, such as \"10.0.0.0/8\"");
        report.error(&node, problem);
    }
    for (index, proxy) in proxies.iter().enumerate() {
        if proxy.is_everything() {
            let problem = ValueError::new("everybody is a proxy: any client can claim any address");
            report.warn(&node.at(index), problem);
        }
    }
}

pub(super) fn admin(
    admin: Admin,
    node: &Node<'_>,
    directory: &Path,
    report: &mut Report<'_>,
) -> Admin {
    let reachable = match &admin.address {
        ListenAddress::Tcp(address) => !address.ip().to_canonical().is_loopback(),
        ListenAddress::Unix(_) => false,
    };
    match &admin.token {
        None if reachable && !report.has_lost(node, "token") => {
            let problem = ValueError::new("an admin listener that others can reach needs a token")
                .label("not a loopback address")
                .help("set `token = \"${WSGATE_ADMIN_TOKEN}\"`, or listen on 127.0.0.1");
            report.error(&node.get("address"), problem);
        }
        Some(token) => {
            if let Err(problem) = check_token(token) {
                report.error(&node.get("token"), problem);
            }
        }
        None => {}
    }
    if admin.tls.is_some() {
        let help = "leave [admin.tls] out, or listen on an address such as 127.0.0.1:9900";
        check_tls_address(&admin.address, help, node, report);
    }
    resolved(admin, directory)
}

/// Reports TLS on a unix socket.
pub(super) fn check_tls_address(
    address: &ListenAddress,
    help: &str,
    node: &Node<'_>,
    report: &mut Report<'_>,
) {
    if matches!(address, ListenAddress::Unix(_)) {
        let problem = ValueError::new("a unix socket is no network: nothing there needs TLS");
        report.error(&node.get("tls"), problem.help(help));
    }
}

/// TLS of a listener that has a table of its own: the admin interface's, or that for publishers.
#[cfg(feature = "tls")]
pub(super) fn table_tls(
    settings: Option<&ListenTls>,
    #[cfg(feature = "acme")] orders: &Orders,
    node: &Node<'_>,
    directory: &Path,
    report: &mut Report<'_>,
) -> Option<ServerTls> {
    let settings = settings?;
    if report.has_lost(node, "tls") {
        return None;
    }
    let node = node.get("tls");
    #[cfg(feature = "acme")]
    let ordered = ordered(settings, orders, &node, report);
    #[cfg(not(feature = "acme"))]
    let ordered = ordered(settings, &node, report);
    super::tls::listener(settings, ordered, &node, directory, report)
}

/// The listener with its path as the settings mean it, whether or not a process would serve it.
pub(in crate::config) fn resolved(admin: Admin, directory: &Path) -> Admin {
    Admin {
        address: absolute(admin.address, directory),
        ..admin
    }
}

/// The address with the path of a unix socket as the settings mean it.
pub(super) fn absolute(address: ListenAddress, directory: &Path) -> ListenAddress {
    match address {
        ListenAddress::Tcp(address) => ListenAddress::Tcp(address),
        ListenAddress::Unix(path) => ListenAddress::Unix(directory.join(path)),
    }
}
