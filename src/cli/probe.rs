//! `wsgate probe`: opens a WebSocket, tests it, and prints the result.
//!
//! ```text
//! url ─► connect: TCP ─► tls ─► handshake: 101 or a refusal ─► session: ping, echo, close ─► report
//! ```

mod connect;
mod error;
mod handshake;
mod report;
mod session;
mod tls;
mod url;

use std::convert::Infallible;
use std::time::Duration;

use clap::Args;
use tokio::time::{Instant, timeout};
use tokio_util::either::Either;
use wsgate::config::{Secret, parse_duration};

use self::connect::connect;
use self::error::ProbeError;
use self::handshake::Offer;
use self::report::Report;
use self::session::Session;
use self::tls::{Agreed, ClientCertificate, Tls, TlsOptions};
use self::url::ProbeUrl;
use super::error::CommandError;
use super::output::print;

/// What to open, and what to try with it.
#[derive(Args, Debug)]
#[command(after_help = EXAMPLES)]
pub(super) struct Probe {
    /// ws://host:port/path, or wss:// for TLS; http:// and https:// mean the same
    #[arg(value_name = "URL", value_parser = secret)]
    url: Secret,
    /// Offer a subprotocol; may be repeated, in the order of preference
    #[arg(long, value_name = "NAME", value_parser = secret)]
    subprotocol: Vec<Secret>,
    /// Offer an extension, such as permessage-deflate; nothing is compressed or decompressed, so
    /// it excludes --echo
    #[arg(long, value_name = "EXTENSION", conflicts_with = "echo")]
    extension: Vec<String>,
    /// Send a header; may be repeated. Its value is never shown
    #[arg(long, short = 'H', value_name = "NAME: VALUE", value_parser = secret)]
    header: Vec<Secret>,
    /// Send an Origin, as the page of a browser would
    #[arg(long, value_name = "ORIGIN")]
    origin: Option<String>,
    /// Send this text, and wait for a message with the same one
    #[arg(long, value_name = "TEXT")]
    echo: Option<String>,
    /// The longest time for the whole probe
    #[arg(long, value_name = "DURATION", default_value = "10s", value_parser = parse_timeout)]
    timeout: Duration,
    #[command(flatten)]
    tls: TlsOptions,
    /// For scripts: print one JSON object, whatever the result
    #[arg(long)]
    json: bool,
}

const EXAMPLES: &str = "\
Examples:
  wsgate probe ws://127.0.0.1:8080/ws/
  wsgate probe wss://chat.example.com/ws/ --origin https://chat.example.com --subprotocol chat
  wsgate probe wss://192.0.2.7/ws/ --server-name chat.example.com -H 'Host: chat.example.com'
  wsgate probe ws://127.0.0.1:8080/echo --echo hello --timeout 2s --json

Exit codes: 0 fine, 1 a wrong command line, 2 the server cannot be reached, 3 the output cannot be
written, 4 refused by a status or a close frame, 5 the server broke the protocol or the connection,
6 no answer in time.";

impl Probe {
    pub(super) async fn carry_out(self) -> Result<(), CommandError> {
        let url = ProbeUrl::parse(self.url.expose())?;
        let offer = Offer::new(
            &self.subprotocol,
            &self.extension,
            &self.header,
            self.origin.as_deref(),
        )?;
        let tls = self.tls.tls(&url)?;
        let mut report = Report::new(&url, self.echo.is_some());
        let tried = self.attempt(&url, tls.as_ref(), &offer, &mut report);
        let tried = match timeout(self.timeout, tried).await {
            Ok(tried) => tried,
            Err(_late) => Err(ProbeError::Timeout(report.awaited())),
        };
        if let Some(tls) = &tls {
            report.certificate = tls.certificate();
            report.client_certificate = tls.client_certificate();
        }
        let tried = match report.client_certificate {
            ClientCertificate::Missing => {
                tried.map_err(|error| error.without_certificate(&url.authority))
            }
            ClientCertificate::NotAskedFor | ClientCertificate::Shown => tried,
        };
        print(&match self.json {
            true => report.json(tried.as_ref().err()),
            false => report.text(),
        })?;
        Ok(tried?)
    }

    async fn attempt(
        &self,
        url: &ProbeUrl,
        tls: Option<&Tls>,
        offer: &Offer,
        report: &mut Report,
    ) -> Result<(), ProbeError> {
        let mut clock = Clock::start();
        let stream = connect(url).await?;
        report.connect = Some(clock.lap());
        let stream = match tls {
            None => Either::Left(stream),
            Some(tls) => {
                let stream = tls.secure(url, stream).await?;
                report.tls = Some((Agreed::of(&stream), clock.lap()));
                Either::Right(stream)
            }
        };
        let opened = offer.exchange(url, stream).await?;
        report.handshake = Some(clock.lap());
        report.negotiated = Some(opened.negotiated);
        let mut session = Session::new(opened.stream).await;
        session.ping().await?;
        report.ping = Some(clock.lap());
        if let Some(text) = &self.echo {
            session.echo(text).await?;
            report.echo = Some(clock.lap());
        }
        report.close = Some(session.close().await?);
        Ok(())
    }
}

/// Times the steps one by one.
struct Clock(Instant);

impl Clock {
    fn start() -> Self {
        Self(Instant::now())
    }

    fn lap(&mut self) -> Duration {
        let now = Instant::now();
        now - std::mem::replace(&mut self.0, now)
    }
}

/// The command line may hold credentials, which clap would show with an error.
fn secret(text: &str) -> Result<Secret, Infallible> {
    Ok(Secret::new(text.to_owned()))
}

fn parse_timeout(text: &str) -> Result<Duration, &'static str> {
    let timeout = parse_duration(text).filter(|timeout| !timeout.is_zero());
    timeout.ok_or("a timeout is a whole number and one of ms, s, m, h: 500ms, 5s")
}
