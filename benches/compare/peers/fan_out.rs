//! Servers that publish to many: how each is started, and what it is sent.

use std::fs;
use std::io;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::{Peer, ROLE_FAN_OUT, WSGATE, fill_in};
use crate::common::process::{Process, free_address};
use crate::common::publisher::{Form, Publisher, request, to_wsgate};
use crate::common::settings::PUBLISH;
use crate::fan_out::CHANNEL;

/// One that does nothing else, or nothing else that is compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Broadcaster {
    Pushpin,
    /// `broadcast` of Python's websockets.
    Websockets,
    /// Node's ws.
    Ws,
    Bare,
}

const PUSHPIN: &str = include_str!("pushpin.conf");
const WEBSOCKETS: &str = include_str!("broadcast.py");
const WS: &str = include_str!("ws.cjs");

/// What wsgate needs behind the settings of a fan-out, to publish to the members of others too.
const SHARED: &str = include_str!("shared.toml");

impl Broadcaster {
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Pushpin => "Pushpin",
            Self::Websockets => "Python's websockets",
            Self::Ws => "node's ws",
            Self::Bare => "bare fan-out",
        }
    }

    pub(super) fn word(self) -> &'static str {
        match self {
            Self::Pushpin => "pushpin",
            Self::Websockets => "websockets",
            Self::Ws => "ws",
            Self::Bare => "bare-fan-out",
        }
    }

    pub(super) fn program(self) -> &'static str {
        match self {
            Self::Pushpin => "pushpin",
            Self::Websockets => "python3",
            Self::Ws => "node",
            Self::Bare => "/proc/self/exe",
        }
    }

    /// What its program is asked for the version with; nothing if it is this benchmark's own.
    pub(super) fn version(self) -> Option<&'static [&'static str]> {
        match self {
            Self::Pushpin => Some(&["--version"]),
            Self::Websockets => Some(&["-c", "import websockets; print(websockets.__version__)"]),
            Self::Ws => Some(&["-p", "require('ws/package.json').version"]),
            Self::Bare => None,
        }
    }
}

impl Peer {
    /// Starts it with a listener for what is published, and with the engine that it shares with others. It may not
    /// listen yet.
    pub(crate) fn start_fan_out(
        self,
        backend: SocketAddr,
        engine: Option<SocketAddr>,
        directory: &Path,
    ) -> io::Result<(Process, Publisher)> {
        let (listen, mut publish) = (free_address()?, free_address()?);
        let write = |name: &str, settings: &str| -> io::Result<PathBuf> {
            let file = directory.join(name);
            let settings = settings
                .replace("${BENCH_PUBLISH}", &publish.to_string())
                .replace("${BENCH_PUBLISH_HOST}", &publish.ip().to_string())
                .replace("${BENCH_PUBLISH_PORT}", &publish.port().to_string());
            fs::write(&file, fill_in(&settings, listen, backend, directory)?)?;
            Ok(file)
        };
        let both = [listen.to_string(), publish.to_string()];
        let mut command = Command::new(self.program());
        match self {
            Self::Broadcaster(Broadcaster::Pushpin) => command
                .arg("--config")
                .arg(write("pushpin.conf", PUSHPIN)?)
                .args(["--port", &both[0], "--route"])
                .arg(format!("* {backend},over_http")),
            Self::Broadcaster(Broadcaster::Websockets) => {
                command.arg(write("broadcast.py", WEBSOCKETS)?).args(both)
            }
            Self::Broadcaster(Broadcaster::Ws) => command.arg(write("ws.cjs", WS)?).args(both),
            Self::Broadcaster(Broadcaster::Bare) => {
                publish = listen;
                command.args([ROLE_FAN_OUT, &both[0]])
            }
            _ => command
                .arg("run")
                .arg(write("publish.toml", &to_publish(engine))?),
        };
        let process = Process::start(&mut command, listen)?;
        Ok((process, Publisher::new(publish, self.form())))
    }

    /// Whether several of it can share an engine.
    pub(crate) fn is_wsgate(self) -> bool {
        matches!(self, Self::Wsgate | Self::Against(_))
    }

    /// Whether it publishes.
    pub(crate) fn fans_out(self) -> bool {
        self.is_wsgate() || matches!(self, Self::Broadcaster(_))
    }

    fn form(self) -> Form {
        match self {
            Self::Wsgate | Self::Against(_) => to_wsgate,
            Self::Broadcaster(Broadcaster::Pushpin) => to_pushpin,
            _ => |text| request("/", "", text),
        }
    }
}

/// The settings of a wsgate that publishes.
fn to_publish(engine: Option<SocketAddr>) -> String {
    let shared = engine.map(|engine| SHARED.replace("${BENCH_ENGINE}", &engine.to_string()));
    [WSGATE, PUBLISH, &shared.unwrap_or_default()].concat()
}

fn to_pushpin(text: &str) -> String {
    let item = serde_json::json!({
        "items": [{
            "channel": CHANNEL,
            "formats": { "ws-message": { "content": text } },
        }],
    });
    request("/publish/", "", &item.to_string())
}
