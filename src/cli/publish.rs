//! `wsgate publish`: a message to the members of a channel, to a session, or to a user.

mod target;

use std::io::{self, IsTerminal, Read};

use bytes::Bytes;
use clap::Args;
use http::{HeaderMap, HeaderName, HeaderValue, header};
use wsgate::SessionName;
use wsgate::config::{ChannelName, PublishToken};

use self::target::PublishTarget;
use super::error::{CommandError, REJECTED};
use super::interface::{Message, RequestTarget};
use super::output::{print_line, remark};
use super::units::sessions;

/// What to publish, and to whom.
#[derive(Args, Debug)]
#[command(
    after_help = EXAMPLES,
    override_usage = "wsgate publish CHANNEL [MESSAGE|-] [OPTIONS]\n       \
                      wsgate publish --session SESSION [MESSAGE|-] [OPTIONS]\n       \
                      wsgate publish --subject NAME [--issuer NAME] [MESSAGE|-] [OPTIONS]",
)]
pub(super) struct PublishCommand {
    /// The channel, unless --session or --subject is given; then the message
    #[arg(value_name = "CHANNEL")]
    first: Option<String>,
    /// The message; without it, or with -, standard input to its end
    #[arg(value_name = "MESSAGE")]
    second: Option<String>,
    /// Publish to this session
    #[arg(long, value_name = "SESSION", conflicts_with = "subject")]
    session: Option<SessionName>,
    /// Publish to all sessions of this user, by the subject of the identity
    #[arg(long, value_name = "NAME")]
    subject: Option<String>,
    /// Only to those with a token of this issuer
    #[arg(long, value_name = "NAME", requires = "subject")]
    issuer: Option<String>,
    /// Publish a binary message; without this it is a text, in UTF-8
    #[arg(long)]
    binary: bool,
    /// Leave this session out
    #[arg(long, value_name = "SESSION")]
    exclude: Option<SessionName>,
    /// Publish it once, however often it comes with this key within five minutes
    #[arg(long, value_name = "KEY", value_parser = visible)]
    idempotency_key: Option<HeaderValue>,
    /// For scripts: print the answer as a line of JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    target: PublishTarget,
}

/// To whom it goes.
#[derive(Debug, PartialEq, Eq)]
enum Audience<'a> {
    Channel(ChannelName),
    Session(SessionName),
    Subject(&'a str),
}

/// Why nothing is published.
#[derive(Debug, thiserror::Error)]
enum MessageError {
    #[error("nobody is named to publish to")]
    NoAudience,
    #[error("there are two messages")]
    TwoMessages,
    #[error("the message is not UTF-8, as a text is")]
    NotText,
    #[error("standard input cannot be read")]
    Unreadable(#[source] io::Error),
    #[error("standard input has more than 64MiB")]
    TooLong,
}

const EXAMPLES: &str = with_exit_codes!(
    "\
Examples:
  wsgate publish room.42 hello                         with the settings of /etc/wsgate/wsgate.toml
  date | wsgate publish news --config wsgate.toml      standard input, its last line end too
  wsgate publish --session 5f0c36a91be2-42 bye
  wsgate publish --subject alice '{\"unread\": 3}' --url http://127.0.0.1:9901
  wsgate publish room.42 --binary < picture.png

--url takes its token from the variable WSGATE_PUBLISH_TOKEN, unless --token-file is given."
);

/// What a publication could be at most: no process keeps more for a session.
const LONGEST: u64 = 64 * 1024 * 1024;

impl PublishCommand {
    pub(super) async fn carry_out(self) -> Result<(), CommandError> {
        let (audience, message) = self.audience()?;
        let client = self.target.client(|token| audience.is_allowed_by(token))?;
        let body = self.body(message)?;
        let target = audience.target().pair("issuer", self.issuer.as_ref());
        let target = target.pair("exclude", self.exclude);
        let headers = self.headers();
        let response = client.post(&target, Message { headers, body }).await?;
        let answer = response.json()?;
        let reached = response.number("reached")?;
        if self.json {
            return print_line(&answer.to_string());
        }
        if answer["repeated"] == true {
            remark("it was published before with this key");
        }
        let others = match answer["gates"].as_u64() {
            None | Some(0) => String::new(),
            Some(1) => ", of this gate and another one".to_owned(),
            Some(gates) => format!(", of this gate and {gates} others"),
        };
        print_line(&format!("on its way to {}{others}", sessions(reached)))
    }

    /// To whom the message goes, and the message if the command line has it.
    fn audience(&self) -> Result<(Audience<'_>, Option<&str>), CommandError> {
        let direct = match (self.session, &self.subject) {
            (Some(session), _) => Audience::Session(session),
            (None, Some(subject)) => Audience::Subject(subject),
            (None, None) => {
                let channel = self.first.as_deref().ok_or(MessageError::NoAudience)?;
                let channel = channel.parse().map_err(CommandError::option)?;
                return Ok((Audience::Channel(channel), self.second.as_deref()));
            }
        };
        match self.second {
            Some(_) => Err(MessageError::TwoMessages.into()),
            None => Ok((direct, self.first.as_deref())),
        }
    }

    fn body(&self, message: Option<&str>) -> Result<Bytes, CommandError> {
        let body = match message {
            Some(message) if message != "-" => message.as_bytes().to_vec(),
            _ => standard_input()?,
        };
        match self.binary || std::str::from_utf8(&body).is_ok() {
            true => Ok(body.into()),
            false => Err(MessageError::NotText.into()),
        }
    }

    fn headers(&self) -> HeaderMap {
        let kind = match self.binary {
            true => "application/octet-stream",
            false => "text/plain; charset=utf-8",
        };
        let mut headers = HeaderMap::new();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(kind));
        if let Some(key) = &self.idempotency_key {
            headers.insert(HeaderName::from_static("idempotency-key"), key.clone());
        }
        headers
    }
}

impl Audience<'_> {
    fn target(&self) -> RequestTarget {
        match self {
            Self::Channel(name) => RequestTarget::path("/channels").segment(name),
            Self::Session(name) => RequestTarget::path("/sessions").segment(&name.to_string()),
            Self::Subject(subject) => RequestTarget::path("/subjects").segment(subject),
        }
    }

    fn is_allowed_by(&self, token: &PublishToken) -> bool {
        match self {
            Self::Channel(name) => token.channels.iter().any(|pattern| pattern.matches(name)),
            Self::Session(_) | Self::Subject(_) => token.direct,
        }
    }
}

/// Standard input to its end.
fn standard_input() -> Result<Vec<u8>, MessageError> {
    let input = io::stdin();
    if input.is_terminal() {
        remark("the message ends with Ctrl-D:");
    }
    let mut message = Vec::new();
    let read = input.lock().take(LONGEST + 1).read_to_end(&mut message);
    match read.map_err(MessageError::Unreadable)? as u64 > LONGEST {
        true => Err(MessageError::TooLong),
        false => Ok(message),
    }
}

/// The value of a header, if it is one word.
fn visible(text: &str) -> Result<HeaderValue, &'static str> {
    let is_visible = text.bytes().all(|byte| byte.is_ascii_graphic());
    let value = HeaderValue::from_str(text).ok();
    let value = value.filter(|_| is_visible && (1..=255).contains(&text.len()));
    value.ok_or("a key is 1 to 255 visible characters of ASCII")
}

impl From<MessageError> for CommandError {
    fn from(error: MessageError) -> Self {
        let help = match &error {
            MessageError::NoAudience => Some("name a channel, or give --session or --subject"),
            MessageError::TwoMessages => Some(
                "with --session or --subject no channel is named; a message of several words needs quotes",
            ),
            MessageError::NotText => Some("publish a binary message with --binary"),
            MessageError::Unreadable(_) | MessageError::TooLong => None,
        };
        Self::new(error, REJECTED).with_help(help)
    }
}
