//! Sessions by route, client, upstream and identity.

use clap::Args;

use crate::cli::interface::RequestTarget;
use wsgate::config::parse_network;

/// Which sessions: those that match all of this.
#[derive(Args, Debug)]
#[command(next_help_heading = "Which sessions")]
pub(crate) struct Selection {
    /// Only those on this route
    #[arg(long, value_name = "NAME")]
    route: Option<String>,
    /// Only those of this client, an address or a network such as 10.0.0.0/8
    #[arg(long, value_name = "IP|CIDR", value_parser = network)]
    client: Option<String>,
    /// Only those with a server of this upstream
    #[arg(long, value_name = "NAME")]
    upstream: Option<String>,
    /// Only those of this user, by the subject of the identity
    #[arg(long, value_name = "NAME")]
    subject: Option<String>,
    /// Only those with a token of this issuer
    #[arg(long, value_name = "NAME")]
    issuer: Option<String>,
    /// Only those with the token of this `jti`
    #[arg(long, value_name = "JTI")]
    token_id: Option<String>,
}

impl Selection {
    /// Whether it selects every session.
    pub(crate) fn is_everything(&self) -> bool {
        self.given().next().is_none()
    }

    /// The keys that are given, with their values.
    fn given(&self) -> impl Iterator<Item = (&'static str, &str)> {
        let keys = [
            ("route", &self.route),
            ("client", &self.client),
            ("upstream", &self.upstream),
            ("subject", &self.subject),
            ("issuer", &self.issuer),
            ("token_id", &self.token_id),
        ];
        keys.into_iter()
            .filter_map(|(key, value)| Some((key, value.as_deref()?)))
    }

    /// `/sessions` with the selection behind it.
    pub(crate) fn target(&self) -> RequestTarget {
        let target = RequestTarget::path("/sessions");
        self.given()
            .fold(target, |target, (key, value)| target.pair(key, Some(value)))
    }

    /// ` of route chat, client 10.0.0.0/8`, or nothing.
    pub(crate) fn describe(&self) -> String {
        let given = self
            .given()
            .map(|(key, value)| format!("{} {}", key.replace('_', " "), value.escape_debug()));
        let given: Vec<_> = given.collect();
        match given.is_empty() {
            true => String::new(),
            false => format!(" of {}", given.join(", ")),
        }
    }
}

/// The text as it is, if it is a network. The admin interface would not say what is wrong with it.
fn network(text: &str) -> Result<String, String> {
    match parse_network(text) {
        Ok(_) => Ok(text.to_owned()),
        Err(error) => Err(error.to_string()),
    }
}
