//! What an operator asks of a process that serves, through its admin interface.
//!
//! ```text
//! command line ─► target: where, and with which token ─► client: one request, one answer ─► table or JSON
//! ```
//!
//! Nothing of a server is started for that: no worker, no log.

/// The examples of a command, and what it exits with.
macro_rules! with_exit_codes {
    ($examples:literal) => {
        concat!(
            $examples,
            "\n\nExit codes: 0 done, 1 a wrong command line or token, or the process says no, 2 it \
             cannot be\nreached, 3 the output cannot be written."
        )
    };
}

mod client;
mod close;
mod drain;
mod error;
mod output;
mod reload;
mod selection;
mod sessions;
mod table;
mod target;
mod top;
mod units;
mod upstreams;

use std::future::Future;

use clap::Subcommand;
use tokio::runtime;

pub use close::Close;
pub use drain::Drain;
pub use error::CommandError;
pub use reload::Reload;
pub use sessions::Sessions;
pub use top::Top;
pub use upstreams::Upstreams;

/// What can be asked of a process that serves.
#[derive(Debug, Subcommand)]
#[non_exhaustive]
pub enum Operation {
    /// List the sessions of a running wsgate
    Sessions(Sessions),
    /// Close sessions of a running wsgate, one by one or by what they have in common
    Close(Close),
    /// Show the servers behind a running wsgate, take one out of service and put it back
    Upstreams(Upstreams),
    /// Send every session of a running wsgate away, and let nobody in any more
    Drain(Drain),
    /// Have a running wsgate read its file of settings again
    Reload(Reload),
    /// Watch a running wsgate: sessions, traffic, servers, clients, and why sessions end
    Top(Top),
}

impl Operation {
    /// Does it, and prints what came of it.
    pub fn carry_out(self) -> Result<(), CommandError> {
        match self {
            Self::Sessions(sessions) => on_this_thread(sessions.list()),
            Self::Close(close) => on_this_thread(close.carry_out()),
            Self::Upstreams(upstreams) => on_this_thread(upstreams.carry_out()),
            Self::Drain(drain) => on_this_thread(drain.carry_out()),
            Self::Reload(reload) => on_this_thread(reload.carry_out()),
            Self::Top(top) => on_this_thread(top.watch()),
        }
    }
}

fn on_this_thread(
    task: impl Future<Output = Result<(), CommandError>>,
) -> Result<(), CommandError> {
    let runtime = runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(CommandError::system)?;
    let done = runtime.block_on(task);
    // Not a plain drop: that would wait for a name that nobody looks up.
    runtime.shutdown_background();
    done
}
