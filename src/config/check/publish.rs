//! `[publish]`: the listener for publishers and its tokens.

use std::collections::HashMap;
use std::path::Path;

use super::program::{absolute, check_tls_address};
use crate::config::report::{Node, Report};
use crate::config::settings::{Admin, Listen, Publish};
use crate::config::values::{ListenAddress, ValueError, check_token};

pub(super) fn listener(
    publish: Publish,
    node: &Node<'_>,
    directory: &Path,
    report: &mut Report<'_>,
) -> Publish {
    check_tokens(&publish, node, report);
    if publish.tls.is_some() {
        let help = "leave [publish.tls] out, or listen on an address such as 127.0.0.1:9901";
        check_tls_address(&publish.address, help, node, report);
    }
    resolved(publish, directory)
}

fn check_tokens(publish: &Publish, node: &Node<'_>, report: &mut Report<'_>) {
    let list = node.get("tokens");
    if publish.tokens.is_empty() && !report.has_lost(node, "tokens") && !report.has_lost_any(&list)
    {
        match list.is_written() {
            true => {
                let problem = ValueError::new("without a token nobody could publish").help(EXAMPLE);
                report.error(&list, problem);
            }
            false => report.missing(node, "tokens"),
        }
    }
    let (mut names, mut values) = (HashMap::new(), HashMap::new());
    for (index, token) in publish.tokens.iter().enumerate() {
        let node = list.at(index);
        if let Err(problem) = check_token(&token.token) {
            report.error(&node.get("token"), problem);
        }
        let earlier = *names.entry(&token.name).or_insert(index);
        if earlier < index {
            let problem = ValueError::new(format!("two tokens have the name `{}`", token.name));
            report.duplicate(&node.get("name"), &list.at(earlier).get("name"), problem);
        }
        let earlier = *values.entry(token.token.expose()).or_insert(index);
        if earlier < index {
            let problem = ValueError::new("this token is the same as another one of the list");
            report.duplicate(&node.get("token"), &list.at(earlier).get("token"), problem);
        }
        let has_lost = ["channels", "direct", "tickets"]
            .iter()
            .any(|key| report.has_lost(&node, key));
        if token.allows_nothing() && !has_lost && !report.has_lost_any(&node.get("channels")) {
            let problem = ValueError::new("this token allows nothing")
                .help("write its channels = [\"user.*\"], or direct = true, or tickets = true");
            report.error_of_form(&node, problem);
        }
    }
}

const EXAMPLE: &str =
    "write { name = \"billing\", token = \"${PUBLISH_TOKEN}\", channels = [\"user.*\"] }";

/// Reports an address that is a client listener's or the admin interface's already.
pub(super) fn check_address(
    publish: &Publish,
    (listen, admin): (&[Listen], Option<&Admin>),
    root: &Node<'_>,
    directory: &Path,
    report: &mut Report<'_>,
) {
    let node = root.get("publish").get("address");
    // Each listener on port 0 gets a free one.
    if matches!(publish.address, ListenAddress::Tcp(address) if address.port() == 0) {
        return;
    }
    let admin = admin.map(|admin| absolute(admin.address.clone(), directory));
    if admin.as_ref() == Some(&publish.address) {
        let problem = ValueError::new("this address is that of the admin interface");
        report.duplicate(&node, &root.get("admin").get("address"), problem);
    }
    let mut own = listen.iter();
    let Some(index) = own.position(|listen| listen.address == publish.address) else {
        return;
    };
    let first = root.get("listen").at(index).get("address");
    let problem = ValueError::new("this address is listened on already");
    match first.is_written() {
        true => report.duplicate(&node, &first, problem),
        false => report.error(
            &node,
            problem.help("without [[listen]], wsgate listens there for its clients"),
        ),
    }
}

/// The listener with its path as the settings mean it.
pub(in crate::config) fn resolved(publish: Publish, directory: &Path) -> Publish {
    Publish {
        address: absolute(publish.address, directory),
        ..publish
    }
}
