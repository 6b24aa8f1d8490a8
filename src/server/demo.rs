//! `wsgate demo`: an echo server, a gate before it, and a page to play with.

mod echo;
mod page;

use std::net::SocketAddr;
use std::time::Duration;

use super::{
    Beside, Reloader, ServeError, Server, Signals, logging, on_this_thread, serve_until_stopped,
};
use crate::config::Config;
use echo::EchoServer;

/// The gate's settings, as the repository shows them.
const SETTINGS: &str = include_str!("../../config/demo.toml");

/// The echo server's address in [`SETTINGS`], for which the real one is put.
const ECHO_ADDRESS: &str = "127.0.0.1:8081";

/// The gate's address in [`SETTINGS`].
const GATE_ADDRESS: &str = "127.0.0.1:8080";

/// Over which the sessions are sent away.
const DRAIN_SPREAD: Duration = Duration::from_millis(500);

/// Serves the demo until a signal to stop; the gate listens on `listen` instead of
/// 127.0.0.1:8080.
pub fn demo(listen: Option<&str>) -> Result<(), ServeError> {
    on_this_thread(async {
        let mut signals = Signals::listen().map_err(ServeError::System)?;
        let echo = EchoServer::bind().map_err(ServeError::System)?;
        let config = settings(echo.address(), listen)?;
        let log = logging::install(&config.log)?;
        let (reloader, reloads) = Reloader::new(None);
        let page = Some(page::page(message_size(&config)));
        let beside = Beside {
            log,
            reloads,
            page,
            ..Beside::default()
        };
        let server = Server::start_with(config, beside)?;
        introduce(&server);
        tokio::select! {
            served = serve_until_stopped(server, reloader, &mut signals) => served,
            () = echo.run() => Ok(()),
        }
    })
}

fn settings(echo: SocketAddr, listen: Option<&str>) -> Result<Config, ServeError> {
    let mut text = SETTINGS.replace(ECHO_ADDRESS, &echo.to_string());
    if let Some(listen) = listen {
        // A string of TOML, whatever was given.
        let listen = listen.escape_default().to_string();
        text = text.replace(GATE_ADDRESS, &listen);
    }
    let mut config = Config::from_toml("demo.toml", &text)?;
    // Somebody sits before it and has pressed Ctrl-C.
    config.drain.spread = DRAIN_SPREAD;
    Ok(config)
}

/// The largest message that the demo's route takes.
fn message_size(config: &Config) -> u64 {
    let sizes = config.routes.iter().map(|route| route.limits.message_size);
    sizes.min().unwrap_or(u64::MAX)
}

/// Says what there is to try, on standard error beside the log.
fn introduce(server: &Server) {
    for address in server.addresses() {
        eprintln!(
            "\n  Open           http://{address}/\n  or try         websocat ws://{address}/echo\n  \
             or             curl -i http://{address}/echo\n  Stop           Ctrl-C\n"
        );
    }
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
        let server = &config.upstreams[0].servers[0];
        assert_eq!(&*server.name, "ws://127.0.0.1:4321");
        assert_eq!(config.listen.len(), 1);
    }

    #[test]
    fn an_address_that_is_none_is_an_error_and_no_setting() {
        let echo = "127.0.0.1:4321".parse().unwrap();
        for listen in ["nowhere", "127.0.0.1:0\"\n[admin]\naddress = \"0.0.0.0:1"] {
            let error = settings(echo, Some(listen)).unwrap_err();
            assert_eq!(error.exit_code(), 1, "{listen}");
        }
    }
}
