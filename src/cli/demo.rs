//! `wsgate demo`: an echo server, a gate before it, and a page to play with.

mod echo;
mod page;

use std::net::SocketAddr;

use wsgate::Config;
use wsgate::config::ConfigErrors;
use wsgate::server::{self, BoundAddress, Start};

use self::echo::EchoServer;
use super::error::CommandError;

/// The gate's settings, as the repository shows them.
const SETTINGS: &str = include_str!("../../config/demo.toml");

/// The echo server's address in [`SETTINGS`], for which the real one is put.
const ECHO_ADDRESS: &str = "127.0.0.1:8081";

/// The gate's address in [`SETTINGS`].
const GATE_ADDRESS: &str = "127.0.0.1:8080";

/// A person who presses Ctrl-C waits for the end.
const DRAIN: &str = "\n[drain]\nspread = \"500ms\"\n";

/// Serves the demo until a signal to stop; the gate listens on `listen` instead of
/// 127.0.0.1:8080.
pub(super) fn serve(listen: Option<&str>) -> Result<(), CommandError> {
    let echo = EchoServer::bind().map_err(CommandError::system)?;
    let config = settings(echo.address(), listen).map_err(CommandError::demo)?;
    echo.start().map_err(CommandError::system)?;
    let start = Start {
        page: Some(page::page()),
        introduction: Some(introduction),
        ..Start::default()
    };
    Ok(server::run(config, start)?)
}

fn settings(echo: SocketAddr, listen: Option<&str>) -> Result<Config, ConfigErrors> {
    let mut text = SETTINGS.replace(ECHO_ADDRESS, &echo.to_string()) + DRAIN;
    if let Some(listen) = listen {
        // A string of TOML, whatever was given.
        let listen = listen.escape_default().to_string();
        text = text.replace(GATE_ADDRESS, &listen);
    }
    Config::from_toml("demo.toml", &text)
}

/// What to try.
fn introduction(addresses: &[BoundAddress]) -> String {
    let lines = addresses.iter().map(|address| {
        format!(
            "\n  Open           http://{address}/\n  or try         websocat ws://{address}/echo\n  \
             or             curl -i http://{address}/echo\n  Stop           Ctrl-C\n\n"
        )
    });
    lines.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_repositorys_settings_name_the_addresses_that_are_replaced() {
        assert_eq!(SETTINGS.matches(GATE_ADDRESS).count(), 1);
        assert!(SETTINGS.contains(&format!("ws://{ECHO_ADDRESS}")));
        let echo = "127.0.0.1:4321".parse().unwrap();
        let config = settings(echo, Some("127.0.0.1:0")).unwrap();
        let summary = config.summary();
        assert!(summary.starts_with("listen  127.0.0.1:0\n"), "{summary}");
        assert!(summary.contains("ws://127.0.0.1:4321"), "{summary}");
    }

    #[test]
    fn an_address_that_is_none_is_an_error_and_no_setting() {
        let echo = "127.0.0.1:4321".parse().unwrap();
        for listen in ["nowhere", "127.0.0.1:0\"\n[admin]\naddress = \"0.0.0.0:1"] {
            assert!(settings(echo, Some(listen)).is_err(), "{listen}");
        }
    }
}
