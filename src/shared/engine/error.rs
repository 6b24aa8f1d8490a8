//! Why the engine does not do what it is to do.

use std::fmt;
use std::io;
use std::sync::Arc;

use redis::{ErrorKind, RedisError, ServerErrorKind};

/// A host and a port.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(in crate::shared) struct Endpoint {
    pub(in crate::shared) host: String,
    pub(in crate::shared) port: u16,
}

/// Why there is no answer that is of use.
#[derive(Clone, Debug, thiserror::Error)]
pub(in crate::shared) enum EngineError {
    #[error("no connection with {endpoint}")]
    Connect {
        endpoint: Endpoint,
        #[source]
        source: Arc<io::Error>,
    },
    #[error("no TLS with {endpoint}")]
    Tls {
        endpoint: Endpoint,
        #[source]
        source: Arc<io::Error>,
    },
    #[error("the connection is lost")]
    Lost,
    #[error("there is no answer in time")]
    Late,
    #[error("nothing waits for the engine at the moment")]
    Away,
    #[error("the answer is {0}")]
    Answer(ServerAnswer),
    #[error("the answer is not of its form")]
    Form,
    #[error("Sentinel does not know {0}")]
    UnknownMaster(String),
    #[error("{0} is not the server that takes changes")]
    NotMaster(Endpoint),
    #[error("more was published than could be handed on")]
    Behind,
    #[error("another server has taken its place")]
    Replaced,
    #[error("no server has this part of the keys")]
    NoServer,
}

/// An error that the server has answered, without what of it may be secret: it may repeat the command.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::shared) struct ServerAnswer {
    kind: Option<ServerErrorKind>,
    code: String,
    detail: String,
}

impl EngineError {
    /// Whether another server may have taken the place of this one.
    pub(in crate::shared) fn is_misplaced(&self) -> bool {
        use ServerErrorKind::{Ask, ClusterDown, MasterDown, Moved, ReadOnly};
        match self {
            Self::Answer(answer) => matches!(
                answer.kind,
                Some(Ask | ClusterDown | MasterDown | Moved | ReadOnly)
            ),
            Self::NotMaster(_) | Self::NoServer | Self::Replaced => true,
            _ => false,
        }
    }

    /// Whether the server answers other commands no better.
    pub(super) fn is_of_server(&self) -> bool {
        match self {
            Self::Answer(answer) => CODES_OF_SERVER.contains(&&*answer.code),
            Self::Connect { .. } | Self::Tls { .. } | Self::Lost => true,
            // A command may take longer than it is waited for.
            Self::Late => false,
            Self::Away | Self::Behind | Self::Form | Self::NoServer => false,
            Self::UnknownMaster(_) | Self::NotMaster(_) | Self::Replaced => true,
        }
    }

    /// Whether the same command will fail again, on whichever server.
    pub(in crate::shared) fn is_of_command(&self) -> bool {
        match self {
            Self::Answer(_) => !self.is_of_server() && !self.is_misplaced(),
            error => matches!(error, Self::Form),
        }
    }

    /// Where else the server says that the keys are, as the topology calls it, and whether only for this once.
    pub(super) fn redirection(&self) -> Option<(&str, bool)> {
        let Self::Answer(answer) = self else {
            return None;
        };
        let is_for_once = match answer.kind {
            Some(ServerErrorKind::Ask) => true,
            Some(ServerErrorKind::Moved) => false,
            _ => return None,
        };
        let (_slot, place) = answer.detail.split_once(' ')?;
        Some((place, is_for_once))
    }

    /// Whether the server does not know a script.
    pub(super) fn is_unknown_script(&self) -> bool {
        matches!(self, Self::Answer(answer) if answer.kind == Some(ServerErrorKind::NoScript))
    }
}

impl ServerAnswer {
    fn of(error: &RedisError) -> Option<Self> {
        let kind = match error.kind() {
            ErrorKind::Server(kind) => Some(kind),
            ErrorKind::Extension | ErrorKind::AuthenticationFailed => None,
            _ => return None,
        };
        let code = error.code().unwrap_or("ERR");
        // Behind a quotation mark there may be what was sent.
        let detail = error.detail().unwrap_or_default();
        let detail = detail.split(['\'', '`', '"']).next().unwrap_or_default();
        let shown = |text: &str| {
            let text = text.chars().filter(|letter| !letter.is_control());
            text.take(LONGEST).collect::<String>()
        };
        Some(Self {
            kind,
            code: shown(code),
            detail: shown(detail),
        })
    }
}

/// What of an answer is shown.
const LONGEST: usize = 120;

/// Errors that are not those of one command or of one key.
const CODES_OF_SERVER: [&str; 11] = [
    "BUSY",
    "CLUSTERDOWN",
    "LOADING",
    "MASTERDOWN",
    "MISCONF",
    "NOAUTH",
    "NOPERM",
    "NOREPLICAS",
    "OOM",
    "READONLY",
    "WRONGPASS",
];

impl From<RedisError> for EngineError {
    fn from(error: RedisError) -> Self {
        match ServerAnswer::of(&error) {
            Some(answer) => Self::Answer(answer),
            None if matches!(error.kind(), ErrorKind::RESP3NotSupported) => {
                // Older servers repeat the whole greeting in their answer, and with it the password.
                Self::Answer(ServerAnswer {
                    kind: None,
                    code: "ERR".to_owned(),
                    detail: "the server does not speak RESP3".to_owned(),
                })
            }
            None if matches!(
                error.kind(),
                ErrorKind::Parse | ErrorKind::UnexpectedReturnType
            ) =>
            {
                Self::Form
            }
            None => Self::Lost,
        }
    }
}

impl fmt::Display for ServerAnswer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(format!("{} {}", self.code, self.detail).trim_end())
    }
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.host.contains(':') {
            true => write!(f, "[{}]:{}", self.host, self.port),
            false => write!(f, "{}:{}", self.host, self.port),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(line: &str) -> EngineError {
        let value = redis::parse_redis_value(format!("-{line}\r\n").as_bytes()).unwrap();
        value.extract_error().unwrap_err().into()
    }

    #[test]
    fn an_answer_is_shown_without_what_was_sent() {
        for (line, shown) in [
            (
                "ERR unknown command 'HELLO', with args: 'canary'",
                "ERR unknown command",
            ),
            ("ERR unknown command `X`, `canary`", "ERR unknown command"),
            ("READONLY You can't write", "READONLY You can"),
            ("OOM command not allowed", "OOM command not allowed"),
            (
                "NOSCRIPT No matching script.",
                "NOSCRIPT No matching script.",
            ),
        ] {
            let error = of(line);
            assert_eq!(error.to_string(), format!("the answer is {shown}"));
        }
        assert!(of("NOSCRIPT x").is_unknown_script());
        assert!(of("READONLY x").is_misplaced() && of("MOVED 1 a:1").is_misplaced());
        assert!(!of("OOM x").is_misplaced());
        for (line, is_of_command) in [
            ("WRONGTYPE x", true),
            ("NOPERM x", false),
            ("MOVED 1 a:1", false),
        ] {
            assert_eq!(of(line).is_of_command(), is_of_command, "{line}");
        }
        assert!(EngineError::Form.is_of_command() && !EngineError::Late.is_of_command());
        assert_eq!(of("MOVED 7 a:1").redirection(), Some(("a:1", false)));
        assert_eq!(of("ASK 7 a:1").redirection(), Some(("a:1", true)));
        assert_eq!(of("ERR 7 a:1").redirection(), None);
    }
}
