//! `wsgate run`: serves.

use std::path::{Path, PathBuf};

use clap::{Args, ValueEnum};
use wsgate::Config;
use wsgate::config::{CertificateFiles, ConfigErrors, HttpMode, ListenTls};
use wsgate::server::{self, BoundAddress, Introduction, PassedSockets, ServeError, Start};

use super::error::CommandError;

/// Where `run` takes its settings from: a file, or the command line alone.
#[derive(Args, Debug)]
#[command(
    after_help = EXIT_CODES,
    override_usage = "wsgate run FILE [--handover PATH]\n       \
                      wsgate run --to URL [--listen ADDRESS] [--http forward] [--cert FILE --key FILE]\n       \
                      \x20          [--handover PATH]"
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
    /// Where to listen, with --to [default: 127.0.0.1:8080]
    #[arg(long, value_name = "ADDRESS", requires = "to", conflicts_with = "file")]
    listen: Option<String>,
    /// What happens to plain HTTP, with --to: it is refused with 426, or sent to the server as well
    #[arg(
        long,
        value_name = "MODE",
        value_enum,
        default_value_t,
        requires = "to",
        conflicts_with = "file"
    )]
    http: Http,
    /// Speak TLS with clients, with --to, and show this certificate, followed by its chain (PEM). It is
    /// read at the start only: a file of settings is for one that is renewed
    #[arg(
        long,
        value_name = "FILE",
        requires_all = ["to", "key"],
        conflicts_with = "file"
    )]
    cert: Option<PathBuf>,
    /// The private key of --cert (PEM)
    #[arg(
        long,
        value_name = "FILE",
        requires_all = ["to", "cert"],
        conflicts_with = "file"
    )]
    key: Option<PathBuf>,
    /// Take over the listening sockets of the process that was started with the same PATH, which
    /// then drains; later, hand them over to the next process
    #[arg(long, value_name = "PATH")]
    handover: Option<PathBuf>,
}

/// Plain HTTP beside the WebSockets of `--to`.
#[derive(ValueEnum, Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Http {
    #[default]
    Refuse,
    Forward,
}

/// For the person who opens the address with a browser.
const PLAIN_HINT: &str = "Start wsgate with `--http forward` to send plain HTTP to the server too.";

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
            introduction: self.introduction(),
            plain_hint: self.to.as_ref().map(|_| PLAIN_HINT),
            ..Start::default()
        };
        Ok(server::run(config, start)?)
    }

    fn config(&self) -> Result<Config, ConfigErrors> {
        match (&self.file, &self.to) {
            (_, Some(url)) => self.config_to(url),
            (Some(file), None) => Config::from_file(file),
            // The parser refuses a command line with neither: an empty name is no file.
            (None, None) => Config::from_file(Path::new("")),
        }
    }

    fn config_to(&self, url: &str) -> Result<Config, ConfigErrors> {
        let config = Config::to(url, self.listen.as_deref())?;
        if self.http == Http::Refuse && self.cert.is_none() {
            return Ok(config);
        }
        let mut settings = config.settings();
        for route in &mut settings.route {
            route.http.mode = match self.http {
                Http::Refuse => HttpMode::Refuse,
                Http::Forward => HttpMode::Forward,
            };
        }
        if self.cert.is_some() {
            for listen in &mut settings.listen {
                listen.tls = Some(self.tls());
            }
        }
        Config::new(settings)
    }

    fn tls(&self) -> ListenTls {
        let mut tls = ListenTls::default();
        tls.certificates.push(CertificateFiles {
            cert: self.cert.clone(),
            key: self.key.clone(),
        });
        tls
    }

    /// Says where to connect, for a person who starts it without a file.
    fn introduction(&self) -> Option<Introduction> {
        let url = self.to.clone()?;
        let scheme = match self.cert {
            Some(_) => "wss",
            None => "ws",
        };
        let plain = match self.http {
            Http::Refuse => "refused with 426; `--http forward` sends it to the server too",
            Http::Forward => "sent to the server too",
        };
        Some(Introduction::new(move |addresses: &[BoundAddress]| {
            let lines = addresses.iter().map(|address| match address {
                BoundAddress::Tcp(address) => {
                    format!(
                        "\n  WebSockets     {scheme}://{address}/ to {url}\n  Plain HTTP     {plain}\n\n"
                    )
                }
                address => {
                    format!("\n  WebSockets     {address} to {url}\n  Plain HTTP     {plain}\n\n")
                }
            });
            lines.collect()
        }))
    }
}
