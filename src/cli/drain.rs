//! `wsgate drain`: empties the process.

use std::io::{self, IsTerminal};
use std::time::Duration;

use clap::Args;
use http::Method;
use tokio::time::sleep;

use super::client::Client;
use super::error::CommandError;
use super::output::{remark, say};
use super::target::Target;
use super::units::sessions;

/// How to empty the process.
#[derive(Args, Debug)]
#[command(after_help = EXAMPLES)]
pub(super) struct Drain {
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

/// Waits until nobody is left. A connection that is not answered may be one too many for a busy
/// admin interface; where the process is gone, the next is refused.
async fn wait(client: &Client) -> Result<(), CommandError> {
    let mut told = None;
    loop {
        match look(client).await {
            Ok(Left::Sessions(left)) => {
                // A person wants to see it go on.
                if io::stderr().is_terminal() && told != Some(left) {
                    remark(&format!("{} left", sessions(left)));
                }
                told = Some(left);
            }
            Ok(Left::Nobody) => return say("drained: no session is left"),
            Ok(Left::AnotherProcess) => {
                return say("the process is gone, and another is in its place");
            }
            Err(error) if error.is_gone() => return say("the process is gone"),
            Err(error) if error.is_passing() => {}
            Err(error) => return Err(error),
        }
        sleep(INTERVAL).await;
    }
}

/// What is left of a process that drains.
enum Left {
    Sessions(u64),
    Nobody,
    /// It takes sessions, as one that has drained never does again.
    AnotherProcess,
}

async fn look(client: &Client) -> Result<Left, CommandError> {
    let ready = client.ask(Method::GET, "/readyz").await?;
    if ready.status.is_success() {
        return Ok(Left::AnotherProcess);
    }
    let listed = client.ask(Method::GET, "/sessions?limit=1").await?.done()?;
    match listed.json()?["total"].as_u64() {
        Some(0) => Ok(Left::Nobody),
        Some(left) => Ok(Left::Sessions(left)),
        None => Err(listed.strange()),
    }
}
