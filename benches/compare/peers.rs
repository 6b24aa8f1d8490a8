//! What is compared, and how each is started: with one thread, and with the settings in `peers/`.

mod tls;

use std::fs;
use std::io;
use std::net::SocketAddr;
use std::path::Path;
use std::process::Command;
use std::sync::OnceLock;

use crate::common::process::{Process, free_address};
use crate::common::program;
use crate::common::settings::{WSGATE, fill_in};
use crate::tls::Over;

/// One of the compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Peer {
    Wsgate,
    Nginx,
    Haproxy,
    Caddy,
    Envoy,
    Tunnel,
    Bare,
    Messages,
    /// Another wsgate, to hold two versions against each other.
    Against(&'static str),
}

/// What this program is when it is not the benchmark.
pub(crate) const ROLE_BACKEND: &str = "serve-backend";
pub(crate) const ROLE_TUNNEL: &str = "serve-tunnel";
pub(crate) const ROLE_BARE: &str = "serve-bare";
pub(crate) const ROLE_MESSAGES: &str = "serve-messages";

static BUILT: OnceLock<String> = OnceLock::new();

/// Builds the wsgate that is compared.
pub(crate) fn build() -> io::Result<()> {
    let program = program::wsgate()?.display().to_string();
    BUILT.get_or_init(|| program);
    Ok(())
}

impl Peer {
    pub(crate) const ALL: [Self; 8] = [
        Self::Wsgate,
        Self::Nginx,
        Self::Haproxy,
        Self::Caddy,
        Self::Envoy,
        Self::Tunnel,
        Self::Bare,
        Self::Messages,
    ];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Wsgate => "wsgate",
            Self::Nginx => "nginx",
            Self::Haproxy => "HAProxy",
            Self::Caddy => "Caddy",
            Self::Envoy => "Envoy",
            Self::Tunnel => "blind tunnel",
            Self::Bare => "bare relay",
            Self::Messages => "message relay",
            Self::Against(_) => "the other wsgate",
        }
    }

    /// The word for it on the command line.
    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::Wsgate => "wsgate",
            Self::Nginx => "nginx",
            Self::Haproxy => "haproxy",
            Self::Caddy => "caddy",
            Self::Envoy => "envoy",
            Self::Tunnel => "tunnel",
            Self::Bare => "bare",
            Self::Messages => "messages",
            Self::Against(_) => "against",
        }
    }

    /// Which version is installed; `None` if there is none.
    pub(crate) fn version(self) -> Option<String> {
        let argument = match self {
            Self::Wsgate | Self::Against(_) | Self::Envoy => "--version",
            Self::Nginx | Self::Haproxy => "-v",
            Self::Caddy => "version",
            Self::Tunnel => return Some("`copy_bidirectional` of tokio".to_owned()),
            Self::Bare => return Some("of this benchmark".to_owned()),
            Self::Messages => return Some("`WebSocketStream` of tokio-tungstenite".to_owned()),
        };
        let output = Command::new(self.program()).arg(argument).output().ok()?;
        // nginx writes to standard error.
        let text = [output.stdout, output.stderr].concat();
        let text = String::from_utf8_lossy(&text).into_owned();
        let is_version = |word: &&str| word.starts_with(|first: char| first.is_ascii_digit());
        let words = text.split(|letter: char| letter.is_whitespace() || "/v".contains(letter));
        let version = words
            .into_iter()
            .find(|word| is_version(word) && word.contains('.'));
        version.map(str::to_owned)
    }

    fn program(self) -> &'static str {
        match self {
            Self::Wsgate => BUILT.get().map_or("wsgate", String::as_str),
            Self::Nginx => "nginx",
            Self::Haproxy => "haproxy",
            Self::Caddy => "caddy",
            Self::Envoy => "envoy",
            Self::Tunnel | Self::Bare | Self::Messages => "/proc/self/exe",
            Self::Against(program) => program,
        }
    }

    /// The settings that it is started with, and their file's name.
    fn settings(self) -> Option<(&'static str, &'static str)> {
        match self {
            Self::Wsgate | Self::Against(_) => Some(("wsgate.toml", WSGATE)),
            Self::Nginx => Some(("nginx.conf", include_str!("peers/nginx.conf"))),
            Self::Haproxy => Some(("haproxy.cfg", include_str!("peers/haproxy.cfg"))),
            Self::Caddy => Some(("Caddyfile", include_str!("peers/Caddyfile"))),
            Self::Envoy => Some(("envoy.yaml", include_str!("peers/envoy.yaml"))),
            Self::Tunnel | Self::Bare | Self::Messages => None,
        }
    }

    /// Starts it in front of the backend. It may not listen yet.
    pub(crate) fn start(
        self,
        backend: SocketAddr,
        directory: &Path,
        over: Over,
    ) -> io::Result<Process> {
        let listen = free_address()?;
        let mut command = Command::new(self.program());
        if let Some((name, settings)) = self.settings() {
            let file = directory.join(name);
            let settings = match over.is_tls() {
                true => self.with_tls(settings),
                false => settings.to_owned(),
            };
            fs::write(&file, fill_in(&settings, listen, backend, directory)?)?;
            match self {
                Self::Wsgate | Self::Against(_) => command.arg("run").arg(file),
                Self::Nginx => command.arg("-c").arg(file),
                Self::Haproxy => command.arg("-f").arg(file),
                Self::Caddy => command
                    .env("GOMAXPROCS", "1")
                    .env("HOME", directory)
                    .args(["run", "--adapter", "caddyfile", "--config"])
                    .arg(file),
                Self::Envoy => command
                    .args(["--concurrency", "1", "--log-level", "error"])
                    .args(["--disable-hot-restart", "-c"])
                    .arg(file),
                Self::Tunnel | Self::Bare | Self::Messages => &mut command,
            };
        } else {
            let role = match self {
                Self::Bare => ROLE_BARE,
                Self::Messages => ROLE_MESSAGES,
                _ => ROLE_TUNNEL,
            };
            command.args([role, &listen.to_string(), &backend.to_string()]);
        }
        Process::start(&mut command, listen)
    }
}
