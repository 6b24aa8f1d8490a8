//! `wsgate top`: what a process does, as it does it.
//!
//! ```text
//! scrape: GET /metrics, /upstreams, /sessions ─► history: this scrape and the one before ─► view ─► screen
//! ```

mod exposition;
mod history;
mod keys;
mod scrape;
mod screen;
mod view;

use std::io::{self, IsTerminal};
use std::time::Duration;

use clap::Args;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::mpsc;
use tokio::time::{MissedTickBehavior, interval, sleep};
use wsgate::config::parse_duration;

use self::history::History;
use self::keys::Input;
use self::scrape::Scrape;
use self::screen::Screen;
use self::view::View;
use super::admin::Target;
use super::error::CommandError;
use super::interface::{Client, ClientError};
use super::output::print;

/// How to watch a process.
#[derive(Args, Debug)]
#[command(after_help = EXAMPLES)]
pub(super) struct Top {
    /// Between two scrapes, 100ms at least
    #[arg(long, value_name = "DURATION", default_value = "1s", value_parser = parse_interval)]
    interval: Duration,
    /// Print one picture after one interval and exit; the default if the output is not a terminal
    #[arg(long)]
    once: bool,
    #[command(flatten)]
    target: Target,
}

const EXAMPLES: &str = with_exit_codes!(
    "\
Examples:
  wsgate top
  wsgate top --interval 5s --admin unix:/run/wsgate/admin.sock
  wsgate top --once > report.txt

Keys: q or Ctrl-C quits, s changes the order, arrows, PgUp, PgDn, Home and End scroll.

Rates are of the last interval. The clients are those of the oldest 5000 sessions."
);

/// A scrape takes time of the process that its sessions could have.
const SHORTEST: Duration = Duration::from_millis(100);

const LONGEST: Duration = Duration::from_secs(3600);

impl Top {
    pub(super) async fn watch(self) -> Result<(), CommandError> {
        let client = self.target.client()?;
        // A process that cannot be reached is an error before the terminal is taken.
        let mut history = History::new(Scrape::take(&client).await?);
        let is_live = io::stdout().is_terminal() && io::stdin().is_terminal();
        if self.once || !is_live {
            sleep(self.interval).await;
            history.add(Scrape::take(&client).await?);
            return print(&View::default().plain(&history, client.address()));
        }
        let (sender, scrapes) = mpsc::channel(1);
        let mut signals = Signals::listen().map_err(CommandError::system)?;
        // Before the size is read for the first time, so that no change of it is missed.
        let resized = signal(SignalKind::window_change()).map_err(CommandError::system)?;
        let screen = Screen::enter().map_err(CommandError::output)?;
        let inputs = keys::listen().map_err(CommandError::system)?;
        let live = Live {
            history,
            view: View::default(),
            client: &client,
            screen: &screen,
        };
        tokio::select! {
            shown = live.show(scrapes, inputs, resized) => shown,
            () = scrape_on(&client, self.interval, sender) => Ok(()),
            exit_code = signals.next() => Err(CommandError::silent(exit_code)),
        }
    }
}

/// The view on the terminal.
struct Live<'a> {
    history: History,
    view: View,
    client: &'a Client,
    screen: &'a Screen,
}

impl Live<'_> {
    /// Shows each scrape until the person quits.
    async fn show(
        mut self,
        mut scrapes: mpsc::Receiver<Result<Scrape, ClientError>>,
        mut inputs: mpsc::Receiver<Input>,
        mut resized: Signal,
    ) -> Result<(), CommandError> {
        loop {
            self.draw()?;
            tokio::select! {
                scrape = scrapes.recv() => match scrape {
                    Some(Ok(scrape)) => {
                        self.history.add(scrape);
                        self.view.problem = None;
                    }
                    // It may be restarting: the last scrape stays on the screen.
                    Some(Err(error)) => self.view.problem = Some(error.to_string()),
                    None => return Ok(()),
                },
                input = inputs.recv() => match input {
                    Some(Input::Quit) | None => return Ok(()),
                    Some(Input::Sort) => self.view.sort = self.view.sort.next(),
                    Some(Input::Scroll(by)) => self.view.scroll(by),
                    Some(Input::Redraw) => self.screen.clear().map_err(CommandError::output)?,
                },
                _ = resized.recv() => self.screen.clear().map_err(CommandError::output)?,
            }
        }
    }

    fn draw(&mut self) -> Result<(), CommandError> {
        let size = self.screen.size();
        let lines = self.view.lines(&self.history, self.client.address(), size);
        self.screen.draw(&lines).map_err(CommandError::output)
    }
}

/// Scrapes for as long as there is a receiver.
async fn scrape_on(
    client: &Client,
    every: Duration,
    scrapes: mpsc::Sender<Result<Scrape, ClientError>>,
) {
    let mut ticks = interval(every);
    // After a scrape that took long, the next is due a whole interval later.
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    // The first is there already.
    ticks.tick().await;
    loop {
        ticks.tick().await;
        if scrapes.send(Scrape::take(client).await).await.is_err() {
            return;
        }
    }
}

/// The signals that end a program; each has to give the terminal back first.
struct Signals {
    hangup: Signal,
    interrupt: Signal,
    quit: Signal,
    terminate: Signal,
}

impl Signals {
    fn listen() -> io::Result<Self> {
        Ok(Self {
            hangup: signal(SignalKind::hangup())?,
            interrupt: signal(SignalKind::interrupt())?,
            quit: signal(SignalKind::quit())?,
            terminate: signal(SignalKind::terminate())?,
        })
    }

    /// The exit code of a process that the next signal ends, as a shell tells it.
    async fn next(&mut self) -> u8 {
        tokio::select! {
            _ = self.hangup.recv() => 129,
            _ = self.interrupt.recv() => 130,
            _ = self.quit.recv() => 131,
            _ = self.terminate.recv() => 143,
        }
    }
}

fn parse_interval(text: &str) -> Result<Duration, String> {
    match parse_duration(text) {
        Some(interval) if (SHORTEST..=LONGEST).contains(&interval) => Ok(interval),
        Some(_) => Err("it has to be from 100ms to 1h".to_owned()),
        None => Err("a duration is a whole number and one of ms, s, m, h: 500ms, 5s".to_owned()),
    }
}
