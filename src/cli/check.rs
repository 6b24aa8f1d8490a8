//! `wsgate check`: validates settings, shows what they come to, and explains what a request would meet.

mod explain;
mod tls;

use std::io::{self, IsTerminal};
use std::net::IpAddr;
use std::path::{Path, PathBuf};

use clap::Args;
use wsgate::Config;
use wsgate::config::Secret;
use wsgate::server::{self, has_color};

use self::explain::{Question, QuestionError};
use super::error::{CommandError, REJECTED};
use super::output::{print, print_error};
use super::runtime::on_this_thread;

/// What to check.
#[derive(Args, Debug)]
#[command(after_help = EXAMPLES)]
pub(super) struct Check {
    /// The file of settings; - is standard input
    #[arg(value_name = "FILE")]
    file: PathBuf,
    /// Exit with 1 if there is a warning
    #[arg(long)]
    strict: bool,
    /// Say which route and which rule would answer a request for this URL, and why: ws:// and wss://
    /// open a WebSocket, http:// and https:// are a plain GET; wss:// and https:// come over TLS
    #[arg(long, value_name = "URL", value_parser = secret)]
    explain: Option<Secret>,
    /// The request has this Origin, as that of a browser's page would
    #[arg(long, value_name = "ORIGIN", requires = "explain")]
    origin: Option<String>,
    /// The request comes from this address
    #[arg(
        long,
        value_name = "IP",
        requires = "explain",
        default_value = "127.0.0.1"
    )]
    from: IpAddr,
    /// The request offers this subprotocol; may be repeated
    #[arg(long, value_name = "NAME", requires = "explain")]
    subprotocol: Vec<String>,
}

const EXAMPLES: &str = "\
Examples:
  wsgate check wsgate.toml
  wsgate check --strict wsgate.toml && wsgate reload
  sed s/8080/8081/ wsgate.toml | wsgate check -
  wsgate check wsgate.toml --explain ws://chat.example.com/ws/ --origin https://example.com

Exit codes: 0 the settings are valid, 1 they are not, or --strict and a warning, 3 the output cannot
be written.";

fn secret(text: &str) -> Result<Secret, std::convert::Infallible> {
    Ok(Secret::from(text))
}

impl Check {
    pub(super) fn carry_out(self) -> Result<(), CommandError> {
        let config = read(&self.file)?;
        let warnings = server::check(&config)?;
        if let Some(url) = &self.explain {
            let question = Question {
                url: url.expose(),
                origin: self.origin.as_deref(),
                from: self.from,
                subprotocols: &self.subprotocol,
            };
            let tls = question.tls(&config);
            let request = question
                .request(&config)
                .map_err(|error: QuestionError| CommandError::new(error, REJECTED))?;
            return on_this_thread(async {
                let explanation = server::explain(config, request, self.from).await?;
                print(&question.answer(&self.file, &tls, explanation.as_ref()))
            });
        }
        let orders = wsgate::acme::Status::of_all(&config);
        let orders: String = orders.iter().map(ToString::to_string).collect();
        print(&(config.summary() + &orders))?;
        let rendered = config.render_warnings(&warnings, has_color(&io::stderr()));
        if rendered.is_empty() {
            return Ok(());
        }
        if io::stdout().is_terminal() {
            print_error("\n");
        }
        print_error(&rendered);
        match self.strict {
            true => Err(CommandError::silent(REJECTED)),
            false => Ok(()),
        }
    }
}

fn read(file: &Path) -> Result<Config, CommandError> {
    match file == Path::new("-") {
        true => Ok(Config::from_reader("standard input", io::stdin().lock())?),
        false => Ok(Config::from_file(file)?),
    }
}
