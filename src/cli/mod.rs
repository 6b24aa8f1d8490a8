//! The command line.
//!
//! ```text
//! arguments ─► run, demo, check, schema
//!           └► target: where, and with which token ─► client: one request, one answer ─► table or JSON
//! ```
//!
//! Only `run` and `demo` start a server: the others have no worker and no log.

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

mod admin;
mod arguments;
mod channels;
mod check;
mod close;
mod demo;
mod drain;
mod error;
mod interface;
mod output;
mod probe;
mod publish;
mod reload;
mod run;
mod runtime;
mod sessions;
mod table;
mod top;
mod units;
mod upstreams;

use std::process::ExitCode;

use clap::Parser;
use wsgate::{config, server};

use arguments::{Arguments, Command};
use error::CommandError;
use output::print;
use runtime::on_this_thread;

/// Runs the command line of this process.
pub(super) fn run() -> ExitCode {
    let command = match Arguments::try_parse() {
        Ok(arguments) => arguments.command,
        Err(usage) => {
            // Help goes to standard output. An error that cannot be written has no other way out.
            let _printed = usage.print();
            return u8::from(usage.use_stderr()).into();
        }
    };
    // What a service manager waits for must end even if nobody reads its standard error.
    let print_error = match command {
        Command::Run(_) | Command::Demo { .. } => server::report,
        _ => output::print_error,
    };
    match carry_out(command) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            print_error(&error.text());
            error.exit_code().into()
        }
    }
}

fn carry_out(command: Command) -> Result<(), CommandError> {
    match command {
        Command::Run(run) => run.serve(),
        Command::Check(check) => check.carry_out(),
        Command::Demo { listen, tls } => demo::serve(listen.as_deref(), tls),
        Command::Probe(probe) => on_this_thread(probe.carry_out()),
        Command::Completions { shell } => print(&arguments::completions(shell)),
        Command::Schema => print(&format!("{:#}\n", config::schema())),
        Command::Sessions(sessions) => on_this_thread(sessions.list()),
        Command::Close(close) => on_this_thread(close.carry_out()),
        Command::Upstreams(upstreams) => on_this_thread(upstreams.carry_out()),
        Command::Drain(drain) => on_this_thread(drain.carry_out()),
        Command::Reload(reload) => on_this_thread(reload.carry_out()),
        Command::Top(top) => on_this_thread(top.watch()),
        Command::Channels(channels) => on_this_thread(channels.list()),
        Command::Publish(publish) => on_this_thread(publish.carry_out()),
    }
}
