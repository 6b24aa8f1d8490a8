//! The command line.

use std::path::{Path, PathBuf};

use clap::{Args, Parser, Subcommand};

use super::command::Operation;
use crate::config::{Config, ConfigErrors};

/// The command line, parsed.
#[derive(Debug, Parser)]
#[command(
    name = "wsgate",
    version,
    about = "A WebSocket-aware reverse proxy",
    after_help = EXAMPLES,
    disable_help_subcommand = true,
)]
pub struct Arguments {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// What the program can do.
#[derive(Debug, Subcommand)]
#[non_exhaustive]
pub enum Command {
    /// Serve
    #[command(
        after_help = EXIT_CODES,
        override_usage = "wsgate run FILE [--handover PATH]\n       \
                          wsgate run --to URL [--listen ADDRESS] [--handover PATH]"
    )]
    Run(RunSource),
    /// Check a file of settings and show what it means; nothing is bound or dialled
    Check {
        /// The file of settings
        #[arg(value_name = "FILE")]
        file: PathBuf,
    },
    /// Try it out: an echo server, a gate before it and a page to play with, all on this machine
    Demo {
        /// Where the gate listens
        #[arg(long, value_name = "ADDRESS")]
        listen: Option<String>,
    },
    /// Print the JSON schema of the settings, for editors
    Schema,
    /// What is asked of a process that serves.
    #[command(flatten)]
    Operate(Operation),
}

/// Where `run` takes its settings from: a file, or the command line alone.
#[derive(Args, Debug)]
pub struct RunSource {
    /// The file of settings
    #[arg(
        value_name = "FILE",
        required_unless_present = "to",
        conflicts_with = "to"
    )]
    file: Option<PathBuf>,
    /// Serve without a file: every WebSocket goes to this server, under the default rules
    #[arg(long, value_name = "URL")]
    to: Option<String>,
    /// Where to listen, with --to
    #[arg(long, value_name = "ADDRESS", requires = "to", conflicts_with = "file")]
    listen: Option<String>,
    /// Take the listening sockets of the process that was started with the same PATH, which then
    /// drains; and hand them to the next one
    #[arg(long, value_name = "PATH")]
    handover: Option<PathBuf>,
}

/// A command line that asks for nothing that can be done, or only for help.
#[derive(Debug)]
pub struct Usage(clap::Error);

const EXAMPLES: &str = "\
Examples:
  wsgate demo                               an echo server and a page to try it out
  wsgate run --to ws://127.0.0.1:9001       in front of one server, without a file
  wsgate check wsgate.toml                  what the file means, or what is wrong with it
  wsgate run wsgate.toml                    serve
  wsgate sessions --config wsgate.toml      who is connected to the wsgate that serves by this file
  wsgate top --config wsgate.toml           what it does, as it does it
  wsgate reload --admin unix:/run/wsgate/admin.sock

sessions, close, upstreams, drain, reload and top ask a running wsgate, through the admin
interface that [admin] of its settings sets up.

A change of FILE, or SIGHUP, has the settings read again, and closes no session.
SIGTERM and Ctrl-C take leave of every session before the process ends; a second one ends it
at once.";

const EXIT_CODES: &str = "\
Exit codes: 0 stopped by a signal, 1 bad settings or usage, 2 cannot listen, 3 the system refused
something else, 130 or 143 a second SIGINT or SIGTERM cut the drain short.";

impl Arguments {
    /// Parses the command line of this process.
    pub fn parse_command_line() -> Result<Self, Usage> {
        Self::try_parse().map_err(Usage)
    }
}

impl RunSource {
    /// The file to read the settings from again when it changes, if there is one.
    pub fn file(&self) -> Option<&Path> {
        self.file.as_deref().filter(|_| self.to.is_none())
    }

    /// Where this process succeeds another, and the next one this.
    pub fn handover(&self) -> Option<&Path> {
        self.handover.as_deref()
    }

    /// The settings.
    pub fn config(&self) -> Result<Config, ConfigErrors> {
        match (&self.file, &self.to) {
            (_, Some(url)) => Config::to(url, self.listen.as_deref()),
            (Some(file), None) => Config::from_file(file),
            // The parser refuses a command line with neither: an empty name is no file.
            (None, None) => Config::from_file(&PathBuf::new()),
        }
    }
}

impl Usage {
    /// Prints it, help to standard output and errors to standard error, and returns the exit
    /// code.
    pub fn print(&self) -> u8 {
        // There is nobody to tell that nobody can be told.
        let _printed = self.0.print();
        u8::from(self.0.use_stderr())
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    fn parse(line: &str) -> Result<Arguments, Usage> {
        Arguments::try_parse_from(line.split(' ')).map_err(Usage)
    }

    #[test]
    fn the_parser_is_sound() {
        Arguments::command().debug_assert();
    }

    #[test]
    fn settings_come_from_a_file_or_from_the_line() {
        for line in [
            "wsgate run wsgate.toml",
            "wsgate run wsgate.toml --handover /run/wsgate.handover",
            "wsgate run --to ws://127.0.0.1:9001",
            "wsgate run --to ws://127.0.0.1:9001 --listen [::]:80",
            "wsgate check wsgate.toml",
            "wsgate demo",
            "wsgate demo --listen 127.0.0.1:0",
            "wsgate schema",
        ] {
            assert!(parse(line).is_ok(), "{line}");
        }
        for line in [
            "wsgate",
            "wsgate run",
            "wsgate run wsgate.toml --to ws://127.0.0.1:9001",
            "wsgate run wsgate.toml --listen 127.0.0.1:80",
            "wsgate check",
            "wsgate serve",
        ] {
            assert!(parse(line).unwrap_err().0.use_stderr(), "{line}");
        }
        for line in ["wsgate --help", "wsgate run --help", "wsgate --version"] {
            assert!(!parse(line).unwrap_err().0.use_stderr(), "{line}");
        }
    }
}
