//! `[route.auth]`: names resolved, files read, and what contradicts itself reported.

mod issuers;
mod key_file;

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use http::HeaderName;

pub(super) use self::issuers::{Issuers, issuers};
use super::tls;
use crate::config::checked::auth::{AuthRules, AuthServer, RequiredValue, Requirement};
use crate::config::report::{Node, Report};
use crate::config::settings::plain_http::{HttpMode, HttpOrigin};
use crate::config::settings::{ForwardAuth, RouteAuth, RouteSettings};
use crate::config::values::{
    ClaimValue, OnExpiry, OriginPattern, PathPattern, Template, ValueError, parse_http_url,
    parse_set,
};
use crate::tls::ApplicationProtocol;

/// What the settings of all routes have in common.
pub(super) struct AuthContext<'a> {
    pub(super) issuers: &'a Issuers,
    /// The folder of relative paths.
    pub(super) directory: &'a Path,
}

/// A ticket is for now: whoever steals an address with one should find it useless.
const LONGEST_TICKET: Duration = Duration::from_secs(600);

/// Who may come in on a route; `None` is everybody. `used` are the claims that its headers use.
pub(super) fn auth(
    route: &RouteSettings,
    path: &PathPattern,
    used: impl Iterator<Item = String>,
    context: &AuthContext<'_>,
    node: &Node<'_>,
    report: &mut Report<'_>,
) -> Option<AuthRules> {
    let settings = route.auth.as_ref()?;
    let node = node.get("auth");
    check_ways(settings, &node, report);
    check_sources(route, settings, &node, report);
    let issuers = context
        .issuers
        .find(&settings.jwt, &node.get("jwt"), report);
    let keys = settings.keys.as_ref().and_then(|keys| {
        let node = node.get("keys");
        key_file::key_hashes(keys, &node, context.directory, report)
    });
    let forward = settings.forward.as_ref().and_then(|server| {
        let node = node.get("forward");
        if !server.subject.is_empty() && takes_credentials(settings) {
            let problem = ValueError::new("the credential says who the client is already")
                .label("beside `jwt`, `keys` or `tickets`")
                .help("leave it out: `copy` sends the header upstream all the same");
            report.error(&node.get("subject"), problem);
        }
        auth_server(server, &node, context.directory, report)
    });
    let ticket_lifetime = settings.tickets.as_ref().map(|tickets| tickets.lifetime);
    if ticket_lifetime.is_some_and(|lifetime| lifetime > LONGEST_TICKET) {
        let problem = ValueError::new("a ticket lives for 10 minutes at most")
            .help("whoever reads its URL later must find it useless");
        report.error(&node.get("tickets").get("lifetime"), problem);
    }
    let mut claims: Vec<String> = settings.claims.iter().cloned().chain(used).collect();
    claims.sort_unstable();
    claims.dedup();
    Some(AuthRules {
        from: match takes_credentials(settings) {
            true => settings.from.clone(),
            false => Vec::new(),
        },
        issuers,
        require: require(settings, path, &node, report),
        claims,
        expiry_code: match settings.on_expiry {
            OnExpiry::Close(code) => Some(code),
            OnExpiry::Keep => None,
        },
        forward: forward.map(Arc::new),
        keys: keys.map(Arc::new),
        ticket_lifetime,
    })
}

fn takes_credentials(settings: &RouteAuth) -> bool {
    !settings.jwt.is_empty() || settings.keys.is_some() || settings.tickets.is_some()
}

/// Reports a table that lets nobody in, and keys that have no effect.
fn check_ways(settings: &RouteAuth, node: &Node<'_>, report: &mut Report<'_>) {
    let lost = ["jwt", "keys", "tickets", "forward"]
        .iter()
        .any(|key| report.has_lost(node, key));
    let takes_credentials = takes_credentials(settings);
    if !takes_credentials && settings.forward.is_none() && !lost {
        let problem = ValueError::new("nobody could come in: no way to do so is named").help(
            "name an issuer with `jwt`, or add [route.auth.keys], [route.auth.tickets] or [route.auth.forward]",
        );
        report.error_of_form(node, problem);
    }
    if !takes_credentials && node.get("from").is_written() && settings.forward.is_some() {
        let problem = ValueError::new("no credential is looked for here")
            .help("the authentication server gets the request as it is: `from` is for `jwt`, `keys` and `tickets`");
        report.error(&node.get("from"), problem);
    }
    if settings.jwt.is_empty() && !settings.require.is_empty() && !lost {
        let problem = ValueError::new("claims are required, and no token has any")
            .help("`require` is about tokens: name their issuer with `jwt`");
        report.error_of_form(&node.get("require"), problem);
    }
}

/// Reports sources that are missing, and cookies where any page could use them.
fn check_sources(
    route: &RouteSettings,
    settings: &RouteAuth,
    node: &Node<'_>,
    report: &mut Report<'_>,
) {
    let from = node.get("from");
    if takes_credentials(settings) && settings.from.is_empty() && !report.has_lost_any(&from) {
        let problem = ValueError::new("there is no place where a credential could stand")
            .help("such as \"header:authorization\" or \"cookie:session\"");
        report.error(&from, problem);
    }
    for (index, source) in settings.from.iter().enumerate() {
        let mut before = settings.from[..index].iter();
        if let Some(first) = before.position(|before| before.overlaps(source)) {
            let problem = ValueError::new(match settings.from[first] == *source {
                true => "this place stands in the list twice",
                false => "both prefixes fit one subprotocol, which would be two credentials",
            });
            report.duplicate(&from.at(index), &from.at(first), problem);
        }
        if !source.is_cookie() {
            continue;
        }
        if let Some((label, help)) = unchecked_origin(route) {
            let problem = ValueError::new(
                "browsers send a cookie for everybody's pages: it counts only where the Origin is checked",
            );
            report.error(&from.at(index), problem.label(label).help(help));
        }
    }
}

/// What lets the pages of strangers in, and what to write instead.
fn unchecked_origin(route: &RouteSettings) -> Option<(&'static str, &'static str)> {
    if route.origin.allow.contains(&OriginPattern::Any) {
        let help = "list the origins of your own pages in `origin.allow`";
        return Some(("with `origin.allow = [\"*\"]`", help));
    }
    if route.origin.allow_null {
        let help = "any page can make a frame whose origin is `null`";
        return Some(("with `origin.null = \"allow\"`", help));
    }
    let http = route.http;
    (http.mode == HttpMode::Forward && http.origin == HttpOrigin::Ignore).then_some((
        "with `http = \"forward\"`",
        "write http = { mode = \"forward\", origin = \"check\" }",
    ))
}

fn require(
    settings: &RouteAuth,
    path: &PathPattern,
    node: &Node<'_>,
    report: &mut Report<'_>,
) -> Vec<Requirement> {
    let table = node.get("require");
    let mut require = Vec::with_capacity(settings.require.len());
    for (claim, written) in &settings.require {
        let node = table.get(claim);
        if written.0.is_empty() && !report.has_lost_any(&node) {
            let problem = ValueError::new("no value is accepted, so that nobody could come in");
            report.error(&node, problem);
        }
        let mut values = Vec::with_capacity(written.0.len());
        for (index, value) in written.0.iter().enumerate() {
            match value {
                ClaimValue::Text(text) => match template(text, path) {
                    Ok(template) => values.push(RequiredValue::Text(template)),
                    Err(problem) => report.error(&node.at(index), problem),
                },
                ClaimValue::Number(number) => values.push(RequiredValue::Number(*number)),
                ClaimValue::Bool(value) => values.push(RequiredValue::Bool(*value)),
            }
        }
        require.push(Requirement {
            claim: claim.clone(),
            values,
        });
    }
    require
}

fn template(text: &str, path: &PathPattern) -> Result<Template, ValueError> {
    let template = Template::parse(text, path)?;
    if template.uses_identity() {
        return Err(ValueError::new(
            "who the client is is not known yet where its claims are compared",
        ));
    }
    match template.uses_session() {
        true => Err(ValueError::new(
            "there is no session yet where the claims of a client are compared",
        )),
        false => Ok(template),
    }
}

fn auth_server(
    settings: &ForwardAuth,
    node: &Node<'_>,
    directory: &Path,
    report: &mut Report<'_>,
) -> Option<AuthServer> {
    if settings.url.is_empty() && !node.get("url").is_written() {
        report.missing(node, "url");
        return None;
    }
    let url = parse_http_url(&settings.url)
        .map_err(|problem| report.error(&node.get("url"), problem))
        .ok();
    let copy = node.get("copy");
    let mut names = Vec::with_capacity(settings.copy.len());
    for (index, name) in settings.copy.iter().enumerate() {
        names.extend(header(name, &copy.at(index), report));
    }
    let subject = match settings.subject.as_str() {
        "" => None,
        name => header(name, &node.get("subject"), report),
    };
    let url = url?;
    let tls = match url.scheme_str() {
        Some("https") => Some(tls::client_of_urls(
            settings.ca.as_ref(),
            ApplicationProtocol::Http1,
            node,
            directory,
            report,
        )?),
        _ => None,
    };
    Some(AuthServer {
        url,
        tls,
        copy: names,
        subject,
        timeout: settings.timeout,
        recheck: settings.recheck,
    })
}

fn header(name: &str, node: &Node<'_>, report: &mut Report<'_>) -> Option<HeaderName> {
    parse_set(name)
        .map_err(|problem| report.error(node, problem))
        .ok()
}
