//! `wsgate close`: sends sessions away.

use clap::{ArgGroup, Args};
use http::{Method, StatusCode};
use wsgate::close::{CloseCode, MAX_REASON};

use super::admin::{Selection, Target};
use super::error::{CommandError, REJECTED};
use super::interface::{Client, RequestTarget};
use super::output::{can_ask, confirm, print_line};
use super::units::sessions;

/// Which sessions to close, and with which close frame.
#[derive(Args, Debug)]
#[command(
    after_help = EXAMPLES,
    override_usage = "wsgate close ID… [OPTIONS]\n       \
                      wsgate close --route NAME|--client IP|--upstream NAME [OPTIONS]\n       \
                      wsgate close --subject NAME|--token-id JTI [--issuer NAME] [OPTIONS]\n       \
                      wsgate close --all [OPTIONS]",
    group = ArgGroup::new("which")
        .args(["ids", "route", "client", "upstream", "subject", "issuer", "token_id", "all"])
        .multiple(true).required(true),
)]
pub(super) struct Close {
    /// The sessions with these numbers
    #[arg(value_name = "ID", conflicts_with_all = SELECTION, conflicts_with = "all")]
    ids: Vec<u64>,
    /// The close code that the clients get [default: 1001, or 4403 for what is revoked]
    #[arg(long, value_name = "CODE", value_parser = close_code)]
    code: Option<CloseCode>,
    /// The reason that they get, 123 bytes at most [default: closed by an administrator, or access revoked]
    #[arg(long, value_name = "TEXT", value_parser = close_reason)]
    reason: Option<String>,
    /// Do not ask for confirmation
    #[arg(long, short)]
    yes: bool,
    #[command(flatten)]
    selection: Selection,
    /// Every session
    #[arg(
        long,
        conflicts_with_all = SELECTION,
        help_heading = "Which sessions"
    )]
    all: bool,
    #[command(flatten)]
    target: Target,
}

/// Why not everything was closed.
#[derive(Debug, thiserror::Error)]
enum CloseError {
    #[error("no such session: {0}")]
    NoSuchSession(String),
    #[error("nothing was closed")]
    NotConfirmed,
}

const SELECTION: [&str; 6] = [
    "route", "client", "upstream", "subject", "issuer", "token_id",
];

const EXAMPLES: &str = with_exit_codes!(
    "\
Examples:
  wsgate close 1742 1801
  wsgate close --client 203.0.113.9 --code 4003 --reason banned
  wsgate close --route chat --yes
  wsgate close --subject alice

--subject or --token-id, alone or with --issuer, also revokes: tokens that were issued until now
are refused for a day.

All are closed at once. If many clients would reconnect at once, drain a server (`wsgate upstreams
drain`) or the process (`wsgate drain`) instead. On a terminal, more than one session that is not
selected by ID is closed only after a confirmation."
);

impl Close {
    pub(super) async fn carry_out(self) -> Result<(), CommandError> {
        let client = self.target.client()?;
        match self.ids.is_empty() {
            true => self.close_selected(&client).await,
            false => self.close_each(&client).await,
        }
    }

    async fn close_each(&self, client: &Client) -> Result<(), CommandError> {
        let (mut closed, mut unknown) = (0, Vec::new());
        for id in &self.ids {
            let target = RequestTarget::path("/sessions").segment(&id.to_string());
            let target = self.with_close_frame(target);
            let response = client.send(Method::DELETE, &target).await?;
            match response.status {
                StatusCode::NOT_FOUND => unknown.push(id.to_string()),
                _ => {
                    response.succeeded()?;
                    closed += 1;
                }
            }
        }
        print_line(&format!("closed {}", sessions(closed)))?;
        match unknown.is_empty() {
            true => Ok(()),
            false => Err(CloseError::NoSuchSession(unknown.join(", ")).into()),
        }
    }

    async fn close_selected(&self, client: &Client) -> Result<(), CommandError> {
        if !self.yes && can_ask() {
            let listed = self.selection.target().pair("limit", Some(1));
            let total = client.get(&listed).await?.number("total")?;
            let which = self.selection.describe();
            if total > 1 && !confirm(&format!("Close {}{which}?", sessions(total))) {
                return Err(CloseError::NotConfirmed.into());
            }
        }
        let everything = self.selection.is_everything() && self.all;
        let target = self.selection.target();
        let target = self.with_close_frame(target.pair("all", everything.then_some(true)));
        let response = client.send(Method::DELETE, &target).await?.succeeded()?;
        print_line(&format!("closed {}", sessions(response.number("closed")?)))
    }

    fn with_close_frame(&self, target: RequestTarget) -> RequestTarget {
        target
            .pair("code", self.code)
            .pair("reason", self.reason.as_ref())
    }
}

impl From<CloseError> for CommandError {
    fn from(error: CloseError) -> Self {
        let help = match &error {
            CloseError::NoSuchSession(_) => None,
            CloseError::NotConfirmed => Some("answer `y`, or use --yes"),
        };
        Self::new(error, REJECTED).with_help(help)
    }
}

fn close_code(text: &str) -> Result<CloseCode, &'static str> {
    let code = text.parse().ok().and_then(CloseCode::new);
    code.ok_or("a gate may send 1000 to 1003, 1007 to 1014 and 3000 to 4999")
}

fn close_reason(text: &str) -> Result<String, &'static str> {
    match text.len() <= MAX_REASON {
        true => Ok(text.to_owned()),
        false => Err("it has more than 123 bytes"),
    }
}
