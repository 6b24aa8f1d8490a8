//! `wsgate drain`: empties the process.

use std::time::Duration;

use clap::Args;
use http::Method;
use tokio::time::sleep;

use super::client::Client;
use super::error::CommandError;
use super::output::say;
use super::target::Target;
use super::units::sessions;

/// How to empty the process.
#[derive(Args, Debug)]
#[command(after_help = EXAMPLES)]
pub struct Drain {
    /// Come back only when no session is left, or the process is gone
    #[arg(long)]
    wait: bool,
    #[command(flatten)]
    target: Target,
}

const EXAMPLES: &str = with_exit_codes!(
    "\
Examples:
  wsgate drain
  wsgate drain --wait && systemctl restart wsgate

The sessions are closed as [drain] of the settings says, spread over `drain.spread`, and cut at
`drain.deadline`. New ones are answered 503, and so is /readyz. The process goes on running;
there is no way back but a restart."
);

/// Between two looks at what is left.
const INTERVAL: Duration = Duration::from_millis(250);

impl Drain {
    pub(super) async fn carry_out(self) -> Result<(), CommandError> {
        let client = self.target.client()?;
        let answer = client.ask(Method::POST, "/drain").await?.done()?;
        let open = answer.json()?["sessions"].as_u64();
        let open = open.ok_or_else(|| answer.strange())?;
        match open {
            0 => say("draining: no session is open")?,
            open => say(&format!("draining: {} on their way out", sessions(open)))?,
        }
        match self.wait {
            true => wait(&client).await,
            false => Ok(()),
        }
    }
}

async fn wait(client: &Client) -> Result<(), CommandError> {
    loop {
        let listed = match client.json("/sessions?limit=1").await {
            Ok(listed) => listed,
            Err(error) if error.is_gone() => return say("the process is gone"),
            Err(error) => return Err(error),
        };
        if listed["total"].as_u64() == Some(0) {
            return say("drained: no session is left");
        }
        sleep(INTERVAL).await;
    }
}
