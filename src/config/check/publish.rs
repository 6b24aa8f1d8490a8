//! `[publish]`: the listener for publishers and its tokens.

use std::collections::HashMap;
use std::path::Path;

use super::program::{absolute, check_tls_address};
use crate::config::report::{Node, Report};
use crate::config::settings::{Admin, Listen, Publish, RouteSettings};
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

/// Warns of a token that opens the admin interface too.
pub(super) fn warn_same_token(
    publish: &Publish,
    admin: &Admin,
    root: &Node<'_>,
    report: &mut Report<'_>,
) {
    let mut tokens = publish.tokens.iter();
    let same = tokens.position(|token| Some(&token.token) == admin.token.as_ref());
    if let Some(index) = same {
        let token = root.get("publish").get("tokens").at(index).get("token");
        let admin = root.get("admin").get("token");
        let problem =
            ValueError::new("who publishes with this token may do all that operators may")
                .help("give publishers tokens of their own");
        report.warn_with(&token, (&admin, "the same token"), problem);
    }
}

/// Warns of tickets that no route takes.
pub(super) fn warn_tickets(
    publish: &Publish,
    routes: &[RouteSettings],
    root: &Node<'_>,
    report: &mut Report<'_>,
) {
    let mut auths = routes.iter().filter_map(|route| route.auth.as_ref());
    let is_taken = auths.any(|auth| auth.tickets.is_some());
    let issuing = publish.tokens.iter().position(|token| token.tickets);
    if let Some(index) = issuing.filter(|_| !is_taken) {
        let node = root.get("publish").get("tokens").at(index).get("tickets");
        let problem = ValueError::new("no route takes tickets")
            .help("write [route.auth.tickets] below the [[route]] that takes them");
        report.warn(&node, problem);
    }
}

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

#[cfg(test)]
mod tests {
    use crate::config::Config;

    const SERVED: &str = "[upstream.a]\nservers = [\"ws://127.0.0.1:1\"]\n\
                          [[route]]\nname = \"a\"\npath = \"/*\"\nupstream = \"a\"\n";

    fn read(text: &str) -> Result<Config, String> {
        let text = format!("{SERVED}{text}");
        Config::from_toml("/etc/wsgate.toml", &text).map_err(|errors| errors.to_string())
    }

    #[test]
    fn a_publisher_with_the_admin_token_is_a_warning() {
        let file = |token: &str| {
            format!(
                "[admin]\naddress = \"127.0.0.1:9900\"\ntoken = \"hunter2\"\n\
                 [publish]\naddress = \"127.0.0.1:9901\"\n\
                 tokens = [{{ name = \"b\", token = \"{token}\", direct = true }}]\n"
            )
        };
        let config = read(&file("hunter2")).unwrap();
        let warnings: Vec<_> = config.warnings().collect();
        let expected =
            "/etc/wsgate.toml:12:33: who publishes with this token may do all that operators may";
        assert!(warnings[0].starts_with(expected), "{warnings:?}");
        assert!(!warnings[0].contains("hunter2"), "{warnings:?}");
        assert_eq!(read(&file("other")).unwrap().warnings().count(), 0);
    }

    #[cfg(feature = "auth")]
    #[test]
    fn tickets_that_no_route_takes_are_a_warning() {
        let issuing = "[publish]\naddress = \"127.0.0.1:9901\"\n\
                       tokens = [{ name = \"b\", token = \"t\", tickets = true }]\n";
        let config = read(issuing).unwrap();
        let expected = "/etc/wsgate.toml:9:48: no route takes tickets \
                        (write [route.auth.tickets] below the [[route]] that takes them)";
        assert_eq!(Vec::from_iter(config.warnings()), [expected]);
        let taken = format!("auth.tickets = {{}}\n{issuing}");
        assert_eq!(read(&taken).unwrap().warnings().count(), 0);
    }

    #[test]
    fn the_address_is_no_other_listeners() {
        for (listen, admin, publish, is_free) in [
            ("127.0.0.1:1", "127.0.0.1:2", "127.0.0.1:3", true),
            ("127.0.0.1:1", "127.0.0.1:2", "127.0.0.1:1", false),
            ("127.0.0.1:1", "127.0.0.1:2", "127.0.0.1:2", false),
            ("127.0.0.1:0", "127.0.0.1:0", "127.0.0.1:0", true),
            ("unix:a.sock", "unix:b.sock", "unix:c.sock", true),
            ("unix:a.sock", "unix:b.sock", "unix:/etc/a.sock", false),
            ("unix:a.sock", "unix:/etc/b.sock", "unix:b.sock", false),
        ] {
            let tokens = "tokens = [{ name = \"b\", token = \"t\", direct = true }]";
            let text = format!(
                "[[listen]]\naddress = \"{listen}\"\n[admin]\naddress = \"{admin}\"\n\
                 [publish]\naddress = \"{publish}\"\n{tokens}\n"
            );
            let read = read(&text);
            assert_eq!(read.is_ok(), is_free, "{publish}: {:?}", read.err());
        }
    }
}
