//! `wsgate drain`: empties the process.

use std::io::{self, IsTerminal};
use std::time::Duration;

use clap::Args;
use http::Method;
use tokio::time::sleep;

use super::admin::Target;
use super::error::CommandError;
use super::interface::{Client, ClientError, RequestTarget};
use super::output::{print_line, remark};
use super::units::sessions;

/// How to empty the process.
#[derive(Args, Debug)]
#[command(after_help = EXAMPLES)]
pub(super) struct Drain {
    /// Return only when no session is left, or the process has ended
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

The sessions are closed with `drain.close_code` over `drain.spread`, and aborted at
`drain.deadline`. New ones are answered 503, and so is /readyz. The process continues to run; only a
restart ends the drain."
);

/// Between two requests for what is left.
const INTERVAL: Duration = Duration::from_millis(250);

impl Drain {
    pub(super) async fn carry_out(self) -> Result<(), CommandError> {
        let client = self.target.client()?;
        let target = RequestTarget::path("/drain");
        let response = client.send(Method::POST, &target).await?.succeeded()?;
        match response.number("sessions")? {
            0 => print_line("draining: no session is open")?,
            open => print_line(&format!("draining: {} being closed", sessions(open)))?,
        }
        match self.wait {
            true => wait(&client).await,
            false => Ok(()),
        }
    }
}

/// Waits until no session is left. A busy admin interface may drop a connection; where the process
/// is gone, the next one is refused.
async fn wait(client: &Client) -> Result<(), CommandError> {
    let mut shown = None;
    loop {
        match progress(client).await {
            Ok(Progress::Sessions(left)) => {
                // Shows a person that the drain goes on.
                if io::stderr().is_terminal() && shown != Some(left) {
                    remark(&format!("{} left", sessions(left)));
                }
                shown = Some(left);
            }
            Ok(Progress::Done) => return print_line("drained: no session is left"),
            Ok(Progress::AnotherProcess) => {
                return print_line("the process is gone, and another is in its place");
            }
            Err(error) if error.is_gone() => return print_line("the process is gone"),
            Err(error) if error.is_temporary() => {}
            Err(error) => return Err(error.into()),
        }
        sleep(INTERVAL).await;
    }
}

/// How far a drain is.
enum Progress {
    Sessions(u64),
    Done,
    /// A process that drains never becomes ready again, so this is another one.
    AnotherProcess,
}

async fn progress(client: &Client) -> Result<Progress, ClientError> {
    let ready = RequestTarget::path("/readyz");
    let ready = client.send(Method::GET, &ready).await?;
    if ready.status.is_success() {
        return Ok(Progress::AnotherProcess);
    }
    let listed = RequestTarget::path("/sessions").pair("limit", Some(1));
    match client.get(&listed).await?.number("total")? {
        0 => Ok(Progress::Done),
        left => Ok(Progress::Sessions(left)),
    }
}
