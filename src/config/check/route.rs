//! `[[route]]`: one route with its names resolved.

use std::collections::HashMap;
use std::sync::Arc;

#[cfg(feature = "auth")]
use super::auth::AuthContext;
use super::upstream::Pools;
use super::{channels, headers, hidden};
use crate::config::checked::auth::AuthRules;
use crate::config::checked::channels::ChannelRules;
use crate::config::checked::route::{Headers, Route};
use crate::config::checked::rule::{RouteLines, Rule, RuleLines};
use crate::config::report::{Node, Report};
use crate::config::settings::{Compression, EncodedSlashes, Limits, OnExceed, RouteSettings};
#[cfg(feature = "auth")]
use crate::config::values::ChannelTemplate;
use crate::config::values::size::written;
use crate::config::values::{MASK, PathPattern, Rewrite, ValueError, check_subprotocol};

/// What the tables beside the routes bring.
pub(super) struct Context<'a> {
    pub(super) pools: Pools<'a>,
    /// Whether the settings are the program's, whose policies are all in them.
    pub(super) is_program: bool,
    #[cfg(feature = "auth")]
    pub(super) auth: AuthContext<'a>,
}

/// The routes, and the same as a file with every default would have them.
pub(super) fn routes(
    written: Vec<RouteSettings>,
    node: &Node<'_>,
    context: &Context<'_>,
    lines: &mut RuleLines,
    report: &mut Report<'_>,
) -> (Vec<Arc<Route>>, Vec<RouteSettings>) {
    check_names(&written, node, report);
    let written = written.into_iter().enumerate();
    let routes = written.filter_map(|(index, settings)| {
        let node = node.at(index);
        let whole = whole(&settings, &node, report);
        let route = route(settings, &node, context, report)?;
        lines.add(&route.name, route_lines(&node, report));
        Some((Arc::new(route), whole))
    });
    routes.unzip()
}

/// The route with what its defaults come to, and without a secret.
fn whole(settings: &RouteSettings, node: &Node<'_>, report: &Report<'_>) -> RouteSettings {
    RouteSettings {
        compression: Some(compression(settings.compression, settings.validate_utf8)),
        rewrite: match report.is_filled(&node.get("rewrite")) {
            true => Some(MASK.to_owned()),
            false => settings.rewrite.clone(),
        },
        auth: hidden::auth(settings.auth.as_ref(), node, report),
        ..settings.clone()
    }
}

fn route_lines(node: &Node<'_>, report: &Report<'_>) -> RouteLines {
    let of_rule = |rule: Rule| {
        let keys = rule.key().split('.');
        report.line(&keys.fold(node.clone(), |node, key| node.get(key)))
    };
    RouteLines {
        route: report.line(node),
        rules: Rule::ALL.map(of_rule),
    }
}

/// Text can be checked only where it is not compressed.
fn compression(written: Option<Compression>, validate_utf8: bool) -> Compression {
    written.unwrap_or(match validate_utf8 {
        true => Compression::Off,
        false => Compression::default(),
    })
}

/// Reports names that two routes have.
fn check_names(routes: &[RouteSettings], node: &Node<'_>, report: &mut Report<'_>) {
    let mut first = HashMap::with_capacity(routes.len());
    for (index, route) in routes.iter().enumerate() {
        let earlier = *first.entry(route.name.as_str()).or_insert(index);
        if earlier < index && !route.name.is_empty() {
            let problem = ValueError::new(format!("two routes have the name `{}`", route.name));
            let (name, first) = (node.at(index).get("name"), node.at(earlier).get("name"));
            report.duplicate(&name, &first, problem);
        }
    }
}

fn route(
    settings: RouteSettings,
    node: &Node<'_>,
    context: &Context<'_>,
    report: &mut Report<'_>,
) -> Option<Route> {
    let whole = settings.clone();
    let RouteSettings {
        name,
        host,
        path,
        subprotocols,
        upstream,
        rewrite,
        http,
        encoded_slashes,
        compression,
        validate_utf8,
        upstream_lost,
        origin,
        address,
        auth: _,
        limits,
        channels,
        keepalive,
        timeouts,
        headers,
    } = settings;
    for (key, is_missing) in [
        ("name", name.is_empty()),
        ("path", path.is_none()),
        ("upstream", !node.get("upstream").is_written()),
    ] {
        if is_missing {
            report.missing(node, key);
        }
    }
    for (index, name) in subprotocols.iter().enumerate() {
        if let Err(problem) = check_subprotocol(name) {
            report.error(&node.get("subprotocols").at(index), problem);
        }
    }
    check_compression(compression, validate_utf8, node, report);
    warn_small_bursts(&limits, &node.get("limits"), report);
    let upstream = match upstream.as_str() {
        "" if !node.get("upstream").is_written() => None,
        name => context.pools.find(name, &node.get("upstream"), report),
    };
    let path = path?;
    // What an environment variable holds is not shown.
    let is_filled = report.is_filled(&node.get("path"));
    if let Some(segment) = path.colon_parameter().filter(|_| !is_filled) {
        let name = &segment[1..];
        let problem = ValueError::new(format!("`{segment}` is a segment as it stands there"));
        let problem = problem.help(format!("a parameter is written `{{{name}}}`"));
        report.warn(&node.get("path"), problem);
    }
    let rewrite = rewrite.and_then(|text| {
        Rewrite::parse(&text, &path)
            .map_err(|problem| {
                report.error_with(&node.get("rewrite"), &node.get("path"), problem);
            })
            .ok()
    });
    // A rewrite may have one: it is the operator's, and no request's gets past the route.
    if encoded_slashes == EncodedSlashes::Refuse && path.has_encoded_slash() {
        report.error(&node.get("path"), encoded_slash());
    }
    let headers = headers::headers(headers, &path, &node.get("headers"), report);
    let has_subjects = whole.auth.is_some() || !context.is_program;
    let channels = channels::channels(channels, &path, has_subjects, &node.get("channels"), report);
    let auth = auth(
        &whole,
        &path,
        (&headers, rewrite.as_ref(), &channels),
        context,
        node,
        report,
    );
    Some(Route {
        name: name.into(),
        hosts: host,
        path,
        subprotocols,
        upstream: upstream?,
        rewrite,
        http,
        encoded_slashes,
        compression: self::compression(compression, validate_utf8),
        validate_utf8,
        upstream_lost,
        origin,
        address,
        auth,
        limits,
        channels,
        keepalive,
        timeouts,
        headers,
    })
}

/// Who may come in.
#[cfg(feature = "auth")]
fn auth(
    settings: &RouteSettings,
    path: &PathPattern,
    (headers, rewrite, channels): (&Headers, Option<&Rewrite>, &ChannelRules),
    context: &Context<'_>,
    node: &Node<'_>,
    report: &mut Report<'_>,
) -> Option<AuthRules> {
    let claims = headers.set.iter().flat_map(|(_, value)| value.claims());
    let claims = claims.chain(rewrite.into_iter().flat_map(Rewrite::claims));
    let claims = claims.chain(channels.join.iter().flat_map(ChannelTemplate::claims));
    let claims = claims.map(str::to_owned);
    super::auth::auth(settings, path, claims, &context.auth, node, report)
}

/// Who may come in: nobody may be asked for it in this build.
#[cfg(not(feature = "auth"))]
fn auth(
    settings: &RouteSettings,
    _path: &PathPattern,
    _used: (&Headers, Option<&Rewrite>, &ChannelRules),
    _context: &Context<'_>,
    node: &Node<'_>,
    report: &mut Report<'_>,
) -> Option<AuthRules> {
    if settings.auth.is_some() {
        let problem = ValueError::new("this build has no authentication")
            .help("build it with the feature `auth`");
        report.error_of_form(&node.get("auth"), problem);
    }
    None
}

/// The error repeats no value, into which a secret may be filled.
fn encoded_slash() -> ValueError {
    ValueError::new("`path` has an encoded slash (`%2F`)")
        .label("needs `encoded_slashes = \"pass\"`")
        .help("the route refuses such paths: with \"pass\", `%2F` is a character of a segment")
}

fn check_compression(
    compression: Option<Compression>,
    validate_utf8: bool,
    node: &Node<'_>,
    report: &mut Report<'_>,
) {
    if validate_utf8 && compression == Some(Compression::Passthrough) {
        let problem = ValueError::new("compressed text cannot be validated")
            .label("with `validate_utf8 = true`")
            .help("leave `compression` out, or set it to \"off\"");
        report.error(&node.get("compression"), problem);
    }
}

/// A bucket that is smaller than a message never lets it through.
fn warn_small_bursts(limits: &Limits, node: &Node<'_>, report: &mut Report<'_>) {
    if limits.on_exceed == OnExceed::Delay {
        return;
    }
    for (table, rate) in [
        ("per_ip", limits.per_ip.bytes),
        ("per_subject", limits.per_subject.bytes),
        ("per_connection", limits.per_connection.bytes),
    ] {
        let Some(rate) = rate.filter(|rate| rate.burst < limits.message_size) else {
            continue;
        };
        let (bytes, size) = (node.get(table).get("bytes"), node.get("message_size"));
        let filled = [&bytes, &bytes.get("rate"), &bytes.get("burst"), &size];
        let message = match filled.into_iter().any(|node| report.is_filled(node)) {
            true => "a message larger than the burst of `bytes` is always refused, although \
                     message_size lets larger ones in"
                .to_owned(),
            false => format!(
                "a message larger than the burst of {} is always refused, although message_size \
                 lets {} in",
                written(rate.burst),
                written(limits.message_size),
            ),
        };
        report.warn(&bytes, ValueError::new(message));
    }
}
