//! What the settings in force do not show: URLs whose query may be a secret, and what an environment variable was filled
//! into.

use std::collections::BTreeMap;

use crate::config::report::{Node, Report};
use crate::config::settings::IssuerSettings;
use crate::config::settings::auth::RouteAuth;
use crate::config::values::MASK;

/// The issuers without the secrets in their URLs.
pub(super) fn issuers(
    mut issuers: BTreeMap<String, IssuerSettings>,
    root: &Node<'_>,
    report: &Report<'_>,
) -> BTreeMap<String, IssuerSettings> {
    let node = root.get("issuer");
    for (name, issuer) in &mut issuers {
        if issuer.jwks.contains("://") {
            issuer.jwks = url(&issuer.jwks, &node.get(name).get("jwks"), report);
        }
    }
    issuers
}

/// Who may come in on the route of this node, without the secrets in the URL of its authentication server.
pub(super) fn auth(
    auth: Option<&RouteAuth>,
    route: &Node<'_>,
    report: &Report<'_>,
) -> Option<RouteAuth> {
    let mut auth = auth.cloned()?;
    if let Some(forward) = &mut auth.forward {
        let node = route.get("auth").get("forward").get("url");
        forward.url = url(&forward.url, &node, report);
    }
    Some(auth)
}

fn url(written: &str, node: &Node<'_>, report: &Report<'_>) -> String {
    match written.split_once('?') {
        _ if report.is_filled(node) => MASK.to_owned(),
        Some((place, _query)) => format!("{place}?{MASK}"),
        None => written.to_owned(),
    }
}
