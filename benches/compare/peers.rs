//! What is compared, and how each is started: with one thread, and with the settings in `peers/`.

mod fan_out;
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

pub(crate) use self::fan_out::Broadcaster;

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
    /// What publishes, and is compared with what wsgate publishes.
    Broadcaster(Broadcaster),
    /// Another wsgate, to hold two versions against each other.
    Against(&'static str),
}

/// What this program is when it is not the benchmark.
pub(crate) const ROLE_BACKEND: &str = "serve-backend";
pub(crate) const ROLE_TUNNEL: &str = "serve-tunnel";
pub(crate) const ROLE_BARE: &str = "serve-bare";
pub(crate) const ROLE_MESSAGES: &str = "serve-messages";
pub(crate) const ROLE_FAN_OUT: &str = "serve-fan-out";
pub(crate) const ROLE_GRIP: &str = "serve-grip";

static BUILT: OnceLock<String> = OnceLock::new();

/// Builds the wsgate that is compared.
pub(crate) fn build() -> io::Result<()> {
    let program = program::wsgate()?.display().to_string();
    BUILT.get_or_init(|| program);
    Ok(())
}

impl Peer {
    pub(crate) const ALL: [Self; 12] = [
        Self::Wsgate,
        Self::Nginx,
        Self::Haproxy,
        Self::Caddy,
        Self::Envoy,
        Self::Tunnel,
        Self::Bare,
        Self::Messages,
        Self::Broadcaster(Broadcaster::Pushpin),
        Self::Broadcaster(Broadcaster::Websockets),
        Self::Broadcaster(Broadcaster::Ws),
        Self::Broadcaster(Broadcaster::Bare),
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
            Self::Broadcaster(broadcaster) => broadcaster.name(),
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
            Self::Broadcaster(broadcaster) => broadcaster.word(),
            Self::Against(_) => "against",
        }
    }

    /// Which version is installed; `None` if there is none.
    pub(crate) fn version(self) -> Option<String> {
        let arguments: &[_] = match self {
            Self::Wsgate | Self::Against(_) | Self::Envoy => &["--version"],
            Self::Nginx | Self::Haproxy => &["-v"],
            Self::Caddy => &["version"],
            Self::Tunnel => return Some("`copy_bidirectional` of tokio".to_owned()),
            Self::Bare => return Some("of this benchmark".to_owned()),
            Self::Messages => return Some("`WebSocketStream` of tokio-tungstenite".to_owned()),
            Self::Broadcaster(broadcaster) => match broadcaster.version() {
                Some(arguments) => arguments,
                None => return Some("of this benchmark".to_owned()),
            },
        };
        let output = Command::new(self.program()).args(arguments).output();
        let output = output.ok().filter(|output| output.status.success())?;
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
            Self::Broadcaster(broadcaster) => broadcaster.program(),
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
            Self::Tunnel | Self::Bare | Self::Messages | Self::Broadcaster(_) => None,
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
                Self::Tunnel | Self::Bare | Self::Messages | Self::Broadcaster(_) => &mut command,
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
