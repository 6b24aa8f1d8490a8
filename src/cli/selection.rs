//! Sessions by what they have in common.

use clap::Args;

use super::client::RequestTarget;
use wsgate::config::parse_network;

/// Which sessions; all that is said has to hold.
#[derive(Args, Debug)]
#[command(next_help_heading = "Which sessions")]
pub(super) struct Selection {
    /// Those on this route
    #[arg(long, value_name = "NAME")]
    route: Option<String>,
    /// Those of this client, an address or a network such as 10.0.0.0/8
    #[arg(long, value_name = "IP|CIDR", value_parser = network)]
    client: Option<String>,
    /// Those with a server of this upstream
    #[arg(long, value_name = "NAME")]
    upstream: Option<String>,
}

impl Selection {
    /// Whether nothing is said.
    pub(super) fn is_everything(&self) -> bool {
        self.route.is_none() && self.client.is_none() && self.upstream.is_none()
    }

    /// `/sessions` with the selection behind it.
    pub(super) fn target(&self) -> RequestTarget {
        RequestTarget::path("/sessions")
            .pair("route", self.route.as_ref())
            .pair("client", self.client.as_ref())
            .pair("upstream", self.upstream.as_ref())
    }

    /// ` of route chat, client 10.0.0.0/8`, or nothing.
    pub(super) fn describe(&self) -> String {
        let parts = [
            ("route", &self.route),
            ("client", &self.client),
            ("upstream", &self.upstream),
        ];
        let said = parts.iter().filter_map(|(name, value)| {
            let value = value.as_ref()?;
            Some(format!("{name} {}", value.escape_debug()))
        });
        let said: Vec<_> = said.collect();
        match said.is_empty() {
            true => String::new(),
            false => format!(" of {}", said.join(", ")),
        }
    }
}

/// The text as it is, if it stands for addresses: the answers of the admin interface do not repeat
/// what is wrong.
fn network(text: &str) -> Result<String, String> {
    match parse_network(text) {
        Ok(_) => Ok(text.to_owned()),
        Err(error) => Err(error.to_string()),
    }
}
