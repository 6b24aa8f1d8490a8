//! `wsgate run`: serves.

use std::path::{Path, PathBuf};

use clap::Args;
use wsgate::Config;
use wsgate::config::ConfigErrors;
use wsgate::server::{self, PassedSockets, ServeError, Start};

use super::error::CommandError;

/// Where `run` takes its settings from: a file, or the command line alone.
#[derive(Args, Debug)]
#[command(
    after_help = EXIT_CODES,
    override_usage = "wsgate run FILE [--handover PATH]\n       \
                      wsgate run --to URL [--listen ADDRESS] [--handover PATH]"
)]
pub(super) struct Run {
    /// The file of settings
    #[arg(
        value_name = "FILE",
        required_unless_present = "to",
        conflicts_with = "to"
    )]
    file: Option<PathBuf>,
    /// Serve without a file: every WebSocket goes to this server, with the default settings
    #[arg(long, value_name = "URL")]
    to: Option<String>,
    /// Where to listen, with --to
    #[arg(long, value_name = "ADDRESS", requires = "to", conflicts_with = "file")]
    listen: Option<String>,
    /// Take over the listening sockets of the process that was started with the same PATH, which
    /// then drains; later, hand them over to the next process
    #[arg(long, value_name = "PATH")]
    handover: Option<PathBuf>,
}

const EXIT_CODES: &str = "\
Exit codes: 0 stopped by a signal, 1 bad settings or usage, 2 cannot listen, 3 a system call
failed, 130 or 143 a second SIGINT or SIGTERM cut the drain short.";

impl Run {
    pub(super) fn serve(self) -> Result<(), CommandError> {
        // First of all, before anything opens a file.
        let passed = PassedSockets::from_environment().map_err(ServeError::from)?;
        let config = self.config()?;
        let start = Start {
            file: self.file.as_deref(),
            passed,
            handover: self.handover.as_deref(),
            ..Start::default()
        };
        Ok(server::run(config, start)?)
    }

    fn config(&self) -> Result<Config, ConfigErrors> {
        match (&self.file, &self.to) {
            (_, Some(url)) => Config::to(url, self.listen.as_deref()),
            (Some(file), None) => Config::from_file(file),
            // The parser refuses a command line with neither: an empty name is no file.
            (None, None) => Config::from_file(Path::new("")),
        }
    }
}
