//! Sessions by route, client and upstream.

use clap::Args;

use super::request_target::RequestTarget;
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
}

impl Selection {
    /// Whether it selects every session.
    pub(crate) fn is_everything(&self) -> bool {
        self.route.is_none() && self.client.is_none() && self.upstream.is_none()
    }

    /// `/sessions` with the selection behind it.
    pub(crate) fn target(&self) -> RequestTarget {
        RequestTarget::path("/sessions")
            .pair("route", self.route.as_ref())
            .pair("client", self.client.as_ref())
            .pair("upstream", self.upstream.as_ref())
    }

    /// ` of route chat, client 10.0.0.0/8`, or nothing.
    pub(crate) fn describe(&self) -> String {
        let parts = [
            ("route", &self.route),
            ("client", &self.client),
            ("upstream", &self.upstream),
        ];
        let given = parts.iter().filter_map(|(name, value)| {
            let value = value.as_ref()?;
            Some(format!("{name} {}", value.escape_debug()))
        });
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
