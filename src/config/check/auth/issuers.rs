//! `[issuer.NAME]`: who signs tokens.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use crate::config::check::tls;
use crate::config::checked::auth::{Issuer, IssuerKeys};
use crate::config::report::{Node, Report};
use crate::config::settings::{IssuerSettings, RouteSettings, TokenAlgorithm};
use crate::config::values::{Name, Text, ValueError, parse_secure_url};
use crate::error_report::ErrorReport;
use crate::jwt::{KeySet, KeySetError, TokenRules};
use crate::tls::ApplicationProtocol;

/// The issuers that a route may name.
pub(in crate::config::check) struct Issuers {
    all: Vec<Arc<Issuer>>,
    /// Every name, also of tables with a mistake, which has been reported.
    names: Vec<String>,
    /// Whether there are others that could not be read, which has been reported.
    is_incomplete: bool,
}

/// The clocks of two machines are seconds apart; tokens live for minutes.
const MOST_LEEWAY: Duration = Duration::from_secs(300);

/// A secret of HMAC is as long as the hash (RFC 7518 §3.2).
const SHORTEST_SECRET: usize = 32;

/// The issuers, in the order of the file.
pub(in crate::config::check) fn issuers(
    written: BTreeMap<String, IssuerSettings>,
    root: &Node<'_>,
    directory: &Path,
    report: &mut Report<'_>,
) -> Issuers {
    let node = root.get("issuer");
    let mut issuers = Issuers {
        all: Vec::new(),
        names: written.keys().cloned().collect(),
        is_incomplete: report.has_lost_all(root, "issuer"),
    };
    for (name, settings) in node.in_file_order(written) {
        if let Err(problem) = Name::parse(&name) {
            report.error(&node.name(&name), problem);
        }
        let table = node.get(&name);
        let issuer = issuer(name, settings, &table, directory, report);
        issuers.all.extend(issuer.map(Arc::new));
    }
    issuers
}

impl Issuers {
    /// The issuers that a route names; reports those that are not there.
    pub(in crate::config::check) fn find(
        &self,
        names: &[String],
        node: &Node<'_>,
        report: &mut Report<'_>,
    ) -> Vec<Arc<Issuer>> {
        for (index, name) in names.iter().enumerate() {
            self.check_once(names, index, node, report);
            if self.names.contains(name) || self.is_incomplete {
                continue;
            }
            let known = self.names.iter().map(String::as_str);
            let problem = ValueError::new(format!("there is no issuer `{name}`"));
            let problem = match self.names.is_empty() {
                true => problem.help("add [issuer.NAME] with its keys"),
                false => problem
                    .did_you_mean(name, known)
                    .or_help(format!("the issuers are {}", self.names.join(", "))),
            };
            report.error(&node.at(index), problem);
        }
        let named = names.iter().filter_map(|name| self.by_name(name));
        named.cloned().collect()
    }

    /// Reports an issuer that would verify nothing: of several with one `iss`, the first has all tokens.
    fn check_once(&self, names: &[String], index: usize, node: &Node<'_>, report: &mut Report<'_>) {
        let claim = |name: &String| Some(&self.by_name(name)?.rules.issuer);
        let (name, before) = (&names[index], &names[..index]);
        if let Some(first) = before.iter().position(|before| before == name) {
            let problem = ValueError::new("this issuer stands in the list twice");
            report.duplicate(&node.at(index), &node.at(first), problem);
        } else if let Some(first) = before
            .iter()
            .position(|before| claim(before).is_some() && claim(before) == claim(name))
        {
            let problem = ValueError::new(
                "this issuer would verify nothing: another one of the list has the same `issuer`",
            );
            report.duplicate(&node.at(index), &node.at(first), problem);
        }
    }

    /// Warns of issuers that no route names.
    pub(in crate::config::check) fn warn_unused(
        &self,
        routes: &[RouteSettings],
        root: &Node<'_>,
        report: &mut Report<'_>,
    ) {
        let auths = routes.iter().filter_map(|route| route.auth.as_ref());
        let used: Vec<_> = auths.flat_map(|auth| &auth.jwt).collect();
        for name in self.names.iter().filter(|name| !used.contains(name)) {
            let message = format!("no route uses the issuer `{name}`");
            report.warn(&root.get("issuer").name(name), ValueError::new(message));
        }
    }

    fn by_name(&self, name: &str) -> Option<&Arc<Issuer>> {
        self.all.iter().find(|issuer| *issuer.name == *name)
    }
}

fn issuer(
    name: String,
    settings: IssuerSettings,
    table: &Node<'_>,
    directory: &Path,
    report: &mut Report<'_>,
) -> Option<Issuer> {
    for (key, is_empty) in [
        ("issuer", settings.issuer.is_empty()),
        ("audience", settings.audience.is_empty()),
    ] {
        let node = table.get(key);
        if is_empty && !node.is_written() {
            report.missing(table, key);
        } else if is_empty && !report.has_lost_any(&node) {
            let problem = ValueError::new("this is empty, so that every token would be refused");
            report.error(&node, problem);
        }
    }
    for (index, audience) in settings.audience.iter().enumerate() {
        if audience.is_empty() {
            let problem = ValueError::new("an empty `aud` names nobody");
            report.error(&table.get("audience").at(index), problem);
        }
    }
    if settings.leeway > MOST_LEEWAY {
        let problem = ValueError::new("clocks may be 5 minutes apart at most")
            .help("let the clock of this machine be set by NTP");
        report.error(&table.get("leeway"), problem);
    }
    let algorithms = algorithms(&settings, &table.get("algorithms"), report);
    let keys = keys(&settings, table, directory, report)?;
    let names = algorithms.into_iter().map(TokenAlgorithm::name);
    Some(Issuer {
        name: name.into(),
        rules: TokenRules {
            issuer: settings.issuer,
            audience: settings.audience,
            // Each is one of the library's.
            algorithms: names.filter_map(|name| name.parse().ok()).collect(),
            leeway: settings.leeway,
        },
        keys,
    })
}

/// The algorithms, which are those of the kind of keys: whoever knows a public key could make tokens of HMAC with it.
fn algorithms(
    settings: &IssuerSettings,
    node: &Node<'_>,
    report: &mut Report<'_>,
) -> Vec<TokenAlgorithm> {
    let is_symmetric = settings.secret.is_some();
    if settings.algorithms.is_empty() {
        return match is_symmetric {
            true => vec![TokenAlgorithm::Hs256],
            false => vec![TokenAlgorithm::Rs256, TokenAlgorithm::Es256],
        };
    }
    for (index, algorithm) in settings.algorithms.iter().enumerate() {
        if algorithm.is_symmetric() == is_symmetric {
            continue;
        }
        let problem = ValueError::new(match is_symmetric {
            true => "a secret verifies HS256, HS384 and HS512 alone",
            false => "HS256, HS384 and HS512 need a `secret`, and no public keys",
        });
        report.error(
            &node.at(index),
            problem.help("an issuer has either: write a second [issuer.NAME] for the other"),
        );
    }
    settings.algorithms.clone()
}

fn keys(
    settings: &IssuerSettings,
    table: &Node<'_>,
    directory: &Path,
    report: &mut Report<'_>,
) -> Option<IssuerKeys> {
    let jwks = table.get("jwks");
    match (&settings.secret, settings.jwks.as_str()) {
        (Some(secret), "") => {
            let secret = secret.expose();
            if secret.len() < SHORTEST_SECRET {
                let problem = ValueError::new("the secret is shorter than 32 bytes")
                    .help("make one with: openssl rand -base64 32 (RFC 7518 §3.2)");
                report.error_of_form(&table.get("secret"), problem);
                return None;
            }
            let keys = KeySet::of_secret(secret.as_bytes()).ok()?;
            Some(IssuerKeys::Fixed(Arc::new(keys)))
        }
        (Some(_), _) => {
            let problem = ValueError::new("an issuer has public keys or a secret")
                .label("beside `secret`")
                .help("write a second [issuer.NAME] for the other");
            report.error(&jwks, problem);
            None
        }
        (None, "") => {
            if !report.has_lost(table, "jwks") && !report.has_lost(table, "secret") {
                let problem = ValueError::new("the issuer has no keys")
                    .help("write their URL or file as `jwks`, or a `secret`");
                report.error_of_form(table, problem);
            }
            None
        }
        (None, written) if written.contains("://") => {
            let url = parse_secure_url(written);
            let url = url.map_err(|problem| report.error(&jwks, problem)).ok()?;
            let tls = match url.scheme_str() {
                Some("https") => {
                    let ca = settings.ca.as_ref();
                    Some(tls::client_of_urls(
                        ca,
                        ApplicationProtocol::Http1,
                        table,
                        directory,
                        report,
                    )?)
                }
                _ => None,
            };
            Some(IssuerKeys::Url(url, tls))
        }
        (None, file) => {
            let json = tls::read_file(Path::new(file), &jwks, directory, report)?;
            let keys = KeySet::parse(&json).map_err(|error| unusable(&error, file, &jwks, report));
            Some(IssuerKeys::Fixed(Arc::new(keys.ok()?)))
        }
    }
}

fn unusable(error: &KeySetError, file: &str, node: &Node<'_>, report: &mut Report<'_>) {
    let error = ErrorReport(error);
    report.error(
        node,
        ValueError::new(format!("{file} cannot be used: {error}")),
    );
}
