//! `wsgate top`: what a process does, as it does it.
//!
//! ```text
//! look: GET /metrics, /upstreams, /sessions ─► figures: this look and the one before ─► view ─► screen
//! ```

mod exposition;
mod figures;
mod keys;
mod look;
mod screen;
mod view;

use std::io::{self, IsTerminal};
use std::time::Duration;

use clap::Args;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::mpsc;
use tokio::time::{MissedTickBehavior, interval, sleep};

use self::figures::Watch;
use self::keys::Told;
use self::look::Look;
use self::screen::Screen;
use self::view::View;
use super::client::Client;
use super::error::{CommandError, Failure};
use super::output::print;
use super::target::Target;
use wsgate::config::parse_duration;

/// How to watch a process.
#[derive(Args, Debug)]
#[command(after_help = EXAMPLES)]
pub(super) struct Top {
    /// Between two looks, 100ms at least
    #[arg(long, value_name = "DURATION", default_value = "1s", value_parser = parse_interval)]
    interval: Duration,
    /// Print what there is to see after one interval, and end; so it is where the output is no
    /// terminal
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

Keys: q or Ctrl-C quits, s sorts by something else, arrows, PgUp, PgDn, Home and End scroll.

Rates are of the last interval. Of the clients, those are seen that have the oldest 5000
sessions."
);

/// A look takes the process a moment, which its sessions could have had.
const SHORTEST: Duration = Duration::from_millis(100);

const LONGEST: Duration = Duration::from_secs(3600);

impl Top {
    pub(super) async fn watch(self) -> Result<(), CommandError> {
        let client = self.target.client()?;
        // What cannot be reached at all is told before the terminal is taken.
        let mut watch = Watch::new(Look::take(&client).await?);
        let is_live = io::stdout().is_terminal() && io::stdin().is_terminal();
        if self.once || !is_live {
            sleep(self.interval).await;
            watch.see(Look::take(&client).await?);
            return print(&View::default().plain(&watch, client.place()));
        }
        let (looks, seen) = mpsc::channel(1);
        let mut signals = Signals::listen().map_err(CommandError::system)?;
        // Heard from before the first look at the size on, so that no change of it is missed.
        let resized = signal(SignalKind::window_change()).map_err(CommandError::system)?;
        let screen = Screen::enter().map_err(Failure::Output)?;
        let told = keys::listen().map_err(CommandError::system)?;
        let shown = Live {
            watch,
            view: View::default(),
            client: &client,
            screen: &screen,
        };
        tokio::select! {
            shown = shown.show(seen, told, resized) => shown,
            () = look_on(&client, self.interval, looks) => Ok(()),
            exit_code = signals.next() => Err(Failure::Interrupted { exit_code }.into()),
        }
    }
}

/// The view on the terminal.
struct Live<'a> {
    watch: Watch,
    view: View,
    client: &'a Client,
    screen: &'a Screen,
}

impl Live<'_> {
    /// Shows what is seen until the person has seen enough.
    async fn show(
        mut self,
        mut seen: mpsc::Receiver<Result<Look, CommandError>>,
        mut told: mpsc::Receiver<Told>,
        mut resized: Signal,
    ) -> Result<(), CommandError> {
        loop {
            self.draw()?;
            tokio::select! {
                look = seen.recv() => match look {
                    Some(Ok(look)) => {
                        self.watch.see(look);
                        self.view.problem = None;
                    }
                    // It may be restarting: what was seen stays on the screen.
                    Some(Err(error)) => self.view.problem = Some(error.to_string()),
                    None => return Ok(()),
                },
                told = told.recv() => match told {
                    Some(Told::Quit) | None => return Ok(()),
                    Some(Told::Sort) => self.view.sort = self.view.sort.next(),
                    Some(Told::Scroll(by)) => self.view.scroll(by),
                    Some(Told::Redraw) => self.screen.clear().map_err(Failure::Output)?,
                },
                _ = resized.recv() => self.screen.clear().map_err(Failure::Output)?,
            }
        }
    }

    fn draw(&mut self) -> Result<(), CommandError> {
        let size = self.screen.size();
        let lines = self.view.lines(&self.watch, self.client.place(), size);
        self.screen.draw(&lines).map_err(Failure::Output)?;
        Ok(())
    }
}

/// Looks again and again, for as long as somebody wants to see it.
async fn look_on(
    client: &Client,
    every: Duration,
    looks: mpsc::Sender<Result<Look, CommandError>>,
) {
    let mut ticks = interval(every);
    // After a look that took long, the next is due a whole interval later.
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    // The first is there already.
    ticks.tick().await;
    loop {
        ticks.tick().await;
        if looks.send(Look::take(client).await).await.is_err() {
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
