//! `[acme.NAME]`: certificates that an authority is asked for.

use std::collections::{BTreeMap, HashMap};
use std::net::IpAddr;
use std::path::Path;
use std::sync::Arc;

use super::tls;
use crate::config::checked::acme::AcmeOrder;
use crate::config::report::{Node, Report};
use crate::config::settings::{AcmeSettings, Admin, Listen, ListenTls, Publish};
use crate::config::values::{ListenAddress, Name, Text, ValueError};
use crate::tls::{ApplicationProtocol, OrderedCertificate};

/// The tables that a listener may name.
pub(super) struct Orders {
    pub(super) all: Vec<AcmeOrder>,
    /// Every name, also of tables with a mistake, which has been reported.
    names: Vec<String>,
    /// Whether there are others that could not be read, which has been reported.
    is_incomplete: bool,
}

/// The orders, in the order of the file.
pub(super) fn orders(
    written: BTreeMap<String, AcmeSettings>,
    root: &Node<'_>,
    directory: &Path,
    report: &mut Report<'_>,
) -> Orders {
    let node = root.get("acme");
    let mut orders = Orders {
        all: Vec::new(),
        names: written.keys().cloned().collect(),
        is_incomplete: report.has_lost_all(root, "acme"),
    };
    for (name, settings) in node.in_file_order(written) {
        // `.` and `..` are names too, and no folders of ours.
        let is_folder = !name.starts_with('.');
        match Name::parse(&name) {
            Err(problem) => report.error(&node.name(&name), problem),
            Ok(_) if !is_folder => {
                let problem = ValueError::new("the name of an [acme.NAME] begins with no dot")
                    .help("its folder in `state_dir` has that name");
                report.error(&node.name(&name), problem);
            }
            Ok(_) => {}
        }
        let table = node.get(&name);
        orders
            .all
            .extend(order(name, settings, &table, directory, report));
    }
    orders
}

fn order(
    name: String,
    settings: AcmeSettings,
    table: &Node<'_>,
    directory: &Path,
    report: &mut Report<'_>,
) -> Option<AcmeOrder> {
    if settings.directory.is_empty() && !report.has_lost(table, "directory") {
        report.missing(table, "directory");
    }
    let names = names(&settings.names, table, report);
    contacts(&settings.contact, &table.get("contact"), report);
    let Some(state_dir) = settings.state_dir else {
        let problem = ValueError::new("there is no folder for the account and the certificates")
            .help("write the path of one that only wsgate can read");
        report.error(&table.get("state_dir"), problem);
        return None;
    };
    let tls = tls::client_of_urls(
        settings.ca.as_ref(),
        ApplicationProtocol::Http1,
        table,
        directory,
        report,
    )?;
    Some(AcmeOrder {
        name,
        directory: settings.directory,
        names,
        contact: settings.contact,
        profile: Some(settings.profile).filter(|profile| !profile.is_empty()),
        state_dir: directory.join(state_dir),
        tls,
        certificate: Arc::new(OrderedCertificate::default()),
    })
}

fn names(written: &[String], table: &Node<'_>, report: &mut Report<'_>) -> Vec<String> {
    let list = table.get("names");
    if written.is_empty() && !list.is_written() && !report.has_lost(table, "names") {
        report.missing(table, "names");
    } else if written.is_empty() && !report.has_lost_any(&list) && list.is_written() {
        report.error(
            &list,
            ValueError::new("a certificate needs at least one name"),
        );
    }
    let mut first = HashMap::new();
    let names = written.iter().map(|name| name.to_ascii_lowercase());
    let names: Vec<_> = names.collect();
    for (index, name) in names.iter().enumerate() {
        if let Err(problem) = check_name(name) {
            report.error(&list.at(index), problem);
        }
        let earlier = *first.entry(name).or_insert(index);
        if earlier < index {
            let problem = ValueError::new("this name stands in the list already");
            report.duplicate(&list.at(index), &list.at(earlier), problem);
        }
    }
    names
}

/// Whether an authority can be asked for a certificate of this name (RFC 8555 §7.1.3, RFC 8737).
fn check_name(name: &str) -> Result<(), ValueError> {
    if name.starts_with("*.") {
        return Err(
            ValueError::new("a certificate for all names of a domain cannot be ordered")
                .help("TLS-ALPN-01 proves one host at a time (RFC 8737 §3): list the hosts"),
        );
    }
    if name.parse::<IpAddr>().is_ok() {
        return Err(
            ValueError::new("a certificate for an address cannot be ordered")
                .help("write the name of a host, which leads to this machine"),
        );
    }
    if !name.is_ascii() {
        return Err(ValueError::new("a name in a certificate is ASCII")
            .help("write the form of the name that begins with `xn--`"));
    }
    let is_label = |label: &str| {
        let is_inner = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-';
        (1..=63).contains(&label.len())
            && label.bytes().all(is_inner)
            && !label.starts_with('-')
            && !label.ends_with('-')
    };
    match name.len() <= 253 && name.split('.').all(is_label) {
        true => Ok(()),
        false => Err(ValueError::new("this is not the name of a host").help(
            "write a name such as \"chat.example.com\", without a scheme, a port or a final dot",
        )),
    }
}

fn contacts(written: &[String], list: &Node<'_>, report: &mut Report<'_>) {
    for (index, contact) in written.iter().enumerate() {
        let is_url = match contact.split_once(':') {
            Some(("mailto", address)) => address.contains('@') && !address.contains(['?', ',']),
            Some((scheme, _)) => scheme.bytes().all(|byte| byte.is_ascii_alphanumeric()),
            None => false,
        };
        if !is_url || !contact.bytes().all(|byte| byte.is_ascii_graphic()) {
            let problem = ValueError::new("this is not the URL of a contact")
                .help("write \"mailto:ops@example.com\", one address in each (RFC 8555 §7.3)");
            report.error(&list.at(index), problem);
        }
    }
}

impl Orders {
    /// The table that a listener names; reports one that is not there.
    pub(super) fn find(
        &self,
        name: &str,
        node: &Node<'_>,
        report: &mut Report<'_>,
    ) -> Option<&AcmeOrder> {
        let found = self.all.iter().find(|order| order.name == name);
        let is_reported = self.is_incomplete || self.names.iter().any(|known| known == name);
        if found.is_none() && !is_reported {
            let problem = ValueError::new(format!("there is no [acme.{name}]"));
            let names = || self.names.iter().map(String::as_str);
            report.error(
                node,
                problem
                    .did_you_mean(name, names())
                    .or_help("add the table, with `directory` and `names`"),
            );
        }
        found
    }

    /// Warns of tables that no listener names.
    pub(super) fn warn_unused(
        &self,
        listen: &[Listen],
        admin: Option<&Admin>,
        publish: Option<&Publish>,
        root: &Node<'_>,
        report: &mut Report<'_>,
    ) {
        if report.has_lost_all(root, "listen") {
            return;
        }
        let listeners = listen.iter().filter_map(|listen| listen.tls.as_ref());
        let listeners: Vec<_> = listeners.filter_map(|tls| tls.acme.as_deref()).collect();
        let admin = admin.and_then(|admin| Some((&admin.address, admin.tls.as_ref()?)));
        let publish = publish.and_then(|publish| Some((&publish.address, publish.tls.as_ref()?)));
        for order in self.all.iter().map(|order| &*order.name) {
            if listeners.contains(&order) {
                continue;
            }
            let shows =
                |(_, tls): &(&ListenAddress, &ListenTls)| tls.acme.as_deref() == Some(order);
            let [on_admin, on_publish] = [admin, publish].map(|listener| listener.filter(shows));
            let mut addresses = on_admin
                .iter()
                .chain(&on_publish)
                .map(|(address, _)| *address);
            // The port of authorities (RFC 8737 §3).
            if addresses.any(
                |address| matches!(address, ListenAddress::Tcp(address) if address.port() == 443),
            ) {
                continue;
            }
            let problem = match (on_admin, on_publish) {
                (None, None) => "no listener shows this certificate: it is not ordered",
                (Some(_), None) => {
                    "only [admin.tls] shows this certificate, and an authority connects to port 443"
                }
                (None, Some(_)) => {
                    "only [publish.tls] shows this certificate, and an authority connects to port 443"
                }
                (Some(_), Some(_)) => {
                    "only [admin.tls] and [publish.tls] show this certificate, and an authority connects to port 443"
                }
            };
            let help = format!("write acme = \"{order}\" in a [listen.tls]");
            let problem = ValueError::new(problem).help(help);
            report.warn(&root.get("acme").name(order), problem);
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::config::Config;

    #[test]
    fn a_certificate_that_is_shown_where_it_cannot_be_proven_is_a_warning() {
        let order = "[acme.le]\ndirectory = \"https://a.test/\"\nnames = [\"a.test\"]\n";
        let route = "[upstream.a]\nservers = [\"ws://127.0.0.1:1\"]\n\
                     [[route]]\nname = \"a\"\npath = \"/*\"\nupstream = \"a\"\n";
        let listener = "[[listen]]\naddress = \"127.0.0.1:8443\"\n[listen.tls]\nacme = \"le\"\n";
        let admin = |port: u16| {
            format!("[admin]\naddress = \"127.0.0.1:{port}\"\n[admin.tls]\nacme = \"le\"\n")
        };
        for (shown, expected) in [
            (String::new(), Some("no listener shows this certificate")),
            (admin(9900), Some("only [admin.tls] shows this certificate")),
            (admin(443), None),
            (listener.to_owned(), None),
            (listener.to_owned() + &admin(9900), None),
        ] {
            let text = format!("{order}{route}{shown}");
            let config = Config::from_toml("wsgate.toml", &text).unwrap();
            let warnings: Vec<_> = config.warnings().collect();
            let warning = warnings
                .iter()
                .find(|line| line.contains("this certificate"));
            match expected {
                Some(expected) => assert!(warning.unwrap().contains(expected), "{warnings:?}"),
                None => assert_eq!(warning, None, "{shown}"),
            }
        }
    }
}
