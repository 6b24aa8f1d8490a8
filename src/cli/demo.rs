//! `wsgate demo`: an echo server and a chat server, a gate in front of them, and two pages to play with.
//!
//! ```text
//! page ─► WebSockets ─► gate ─► echo
//!   │                     ├───► chat ─► POST /channels/room.NAME ─► gate ─► all WebSockets of the room
//!   └───► /demo/state, /demo/drain ─► operator ─► admin interface of the gate
//! ```

mod chat;
mod commands;
mod echo;
mod folder;
mod log;
mod operator;
mod page;
mod publisher;
mod self_signed;

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;

use wsgate::Config;
use wsgate::config::{ConfigErrors, ListenAddress};
use wsgate::server::{self, BoundAddress, Introduction, LogCopy, Start};

use self::chat::ChatServer;
use self::commands::{ADMIN_SOCKET, Commands};
use self::echo::EchoServer;
use self::folder::PrivateFolder;
use self::log::RecentLog;
use self::operator::Operator;
use self::publisher::Publisher;
use self::self_signed::SelfSigned;
use super::error::CommandError;

/// The gate's settings, as the repository shows them.
const SETTINGS: &str = include_str!("../../config/demo.toml");

/// The echo server's address in [`SETTINGS`], for which the real one is put.
const ECHO_ADDRESS: &str = "127.0.0.1:8081";

/// The chat server's, likewise.
const CHAT_ADDRESS: &str = "127.0.0.1:8082";

/// The gate's address in [`SETTINGS`].
const GATE_ADDRESS: &str = "127.0.0.1:8080";

/// What follows the listener in [`SETTINGS`].
const BEHIND_LISTENER: &str = "\n[upstream.echo]\n";

/// A person who presses Ctrl-C waits for the end.
const DRAIN: &str = "\n[drain]\nspread = \"500ms\"\n";

/// Serves the demo until a signal to stop; the gate listens on `listen` instead of
/// 127.0.0.1:8080, and speaks TLS if `has_tls`.
pub(super) fn serve(listen: Option<&str>, has_tls: bool) -> Result<(), CommandError> {
    check_address(listen.unwrap_or(GATE_ADDRESS))?;
    let echo = EchoServer::bind().map_err(CommandError::system)?;
    let chat = ChatServer::bind().map_err(CommandError::system)?;
    let folder = PrivateFolder::create().map_err(CommandError::system)?;
    let publisher = Publisher::new(folder.path()).map_err(CommandError::system)?;
    let admin = folder.path().join(ADMIN_SOCKET);
    let tls = has_tls.then(|| SelfSigned::write_into(folder.path()));
    let tls = tls.transpose().map_err(CommandError::system)?;
    let servers = Servers {
        echo: echo.address(),
        chat: chat.address(),
    };
    let config = settings(&servers, listen, &admin, &publisher, tls.as_ref());
    let config = config.map_err(CommandError::demo)?;
    echo.start().map_err(CommandError::system)?;
    chat.start(publisher).map_err(CommandError::system)?;
    let log = Arc::new(RecentLog::default());
    let operator = Operator::start(&admin).map_err(CommandError::system)?;
    let commands = Commands::of(folder.path());
    let page = page::page(&commands, Arc::clone(&log), operator);
    let start = Start {
        page: Some(page),
        introduction: Some(Introduction::new(move |addresses| {
            introduction(addresses, &commands, tls.as_ref())
        })),
        log_copy: Some(LogCopy::new(log::Lines::of(log))),
        ..Start::default()
    };
    Ok(server::run(config, start)?)
}

/// Reports a wrong address as an error of the option: a person has not written the settings of the demo.
fn check_address(listen: &str) -> Result<(), CommandError> {
    match listen.parse::<ListenAddress>() {
        Ok(_) => Ok(()),
        Err(problem) => Err(CommandError::option(problem)),
    }
}

/// The addresses of the demo's backends.
struct Servers {
    echo: SocketAddr,
    chat: SocketAddr,
}

fn settings(
    servers: &Servers,
    listen: Option<&str>,
    admin: &Path,
    publisher: &Publisher,
    tls: Option<&SelfSigned>,
) -> Result<Config, ConfigErrors> {
    let mut text = SETTINGS.replace(ECHO_ADDRESS, &servers.echo.to_string());
    text = text.replace(CHAT_ADDRESS, &servers.chat.to_string()) + DRAIN;
    if let Some(tls) = tls {
        text = text.replace(
            BEHIND_LISTENER,
            &format!("\n{}{BEHIND_LISTENER}", tls.table()),
        );
    }
    if let Some(listen) = listen {
        // A string of TOML, whatever was given.
        let listen = listen.escape_default().to_string();
        text = text.replace(GATE_ADDRESS, &listen);
    }
    let admin = format!("unix:{}", admin.display());
    text += &format!("\n[admin]\naddress = \"{}\"\n", admin.escape_default());
    text += &publisher.table();
    // The path of the system's temporary folder is no place for variables.
    Config::from_toml_without_variables("demo.toml", &text)
}

/// For the person whose browser does not know the certificate.
const WARNING: &str = "
  Your browser will warn of the certificate: the demo has made it for itself just now, so no authority vouches
  for it. Choose Advanced and continue, for this page only. A real site needs a certificate of an authority.
";

/// What to try.
fn introduction(
    addresses: &[BoundAddress],
    commands: &Commands,
    tls: Option<&SelfSigned>,
) -> String {
    let (mut lines, http, ws) = match tls {
        None => (String::new(), "http", "ws"),
        Some(_) => (WARNING.to_owned(), "https", "wss"),
    };
    for address in addresses {
        lines += &format!("\n  Open           {http}://{address}/\n");
        lines += &format!("  A chat room    {http}://{address}/chat\n");
    }
    lines += "  Then, in another terminal:\n";
    let url = addresses
        .first()
        .map(|address| format!("{ws}://{address}/echo"));
    // The page of the chat room has the others.
    let publish = commands.of_chat().into_iter().take(1);
    for (command, what) in commands.all(url.as_deref(), tls).into_iter().chain(publish) {
        lines += &format!("    {command}    # {what}\n");
    }
    lines + "  Stop           Ctrl-C\n\n"
}

#[cfg(test)]
mod tests {
    use super::*;

    const ADMIN: &str = "/tmp/admin.sock";

    /// The settings of a demo with these addresses.
    fn of(listen: Option<&str>) -> (Result<Config, ConfigErrors>, tempfile::TempDir) {
        let servers = Servers {
            echo: "127.0.0.1:4321".parse().unwrap(),
            chat: "127.0.0.1:4322".parse().unwrap(),
        };
        let folder = tempfile::tempdir().unwrap();
        let publisher = Publisher::new(folder.path()).unwrap();
        let config = settings(&servers, listen, ADMIN.as_ref(), &publisher, None);
        (config, folder)
    }

    #[test]
    fn the_repositorys_settings_name_the_addresses_that_are_replaced() {
        assert_eq!(SETTINGS.matches(GATE_ADDRESS).count(), 1);
        assert!(SETTINGS.contains(&format!("ws://{ECHO_ADDRESS}")));
        assert!(SETTINGS.contains(&format!("ws://{CHAT_ADDRESS}")));
        assert_eq!(SETTINGS.matches(BEHIND_LISTENER).count(), 1);
        let (config, _folder) = of(Some("127.0.0.1:0"));
        let summary = config.unwrap().summary();
        let listeners = "listen  127.0.0.1:0\nadmin   unix:/tmp/admin.sock\n";
        assert!(summary.starts_with(listeners), "{summary}");
        assert!(summary.contains("ws://127.0.0.1:4321"), "{summary}");
        assert!(summary.contains("ws://127.0.0.1:4322"), "{summary}");
    }

    #[test]
    fn an_address_that_is_none_is_an_error_and_no_setting() {
        for listen in ["nowhere", "127.0.0.1:0\"\n[admin]\naddress = \"0.0.0.0:1"] {
            let (config, _folder) = of(Some(listen));
            assert!(config.is_err(), "{listen}");
            let text = check_address(listen).unwrap_err().text();
            assert!(text.contains("is not an address to listen on"), "{text}");
            assert!(!text.contains("demo.toml"), "{text}");
        }
    }
}
