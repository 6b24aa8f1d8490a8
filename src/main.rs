//! The program: arguments, settings, run, exit code.

use std::error::Error;
use std::io::{self, Write};
use std::path::Path;
use std::process::ExitCode;

use wsgate::Config;
use wsgate::config::{self, ConfigErrors};
use wsgate::server::{
    self, Arguments, Command, CommandError, PassedSockets, RunSource, ServeError, Start,
};

fn main() -> ExitCode {
    let command = match Arguments::parse_command_line() {
        Ok(arguments) => arguments.command,
        Err(usage) => return usage.print().into(),
    };
    let done = match command {
        Command::Run(source) => run(&source),
        Command::Check { file } => check(&file),
        Command::Demo { listen } => server::demo(listen.as_deref()).map_err(Failure::Serve),
        Command::Schema => print(&format!("{:#}\n", config::schema())),
        Command::Operate(operation) => operation.carry_out().map_err(Failure::Command),
        _ => Ok(()),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => failure.print().into(),
    }
}

fn run(source: &RunSource) -> Result<(), Failure> {
    // First of all, before anything opens a file.
    let passed = PassedSockets::from_environment();
    let passed = passed.map_err(|error| Failure::Serve(error.into()))?;
    let config = source.config().map_err(Failure::Settings)?;
    let start = Start {
        file: source.file(),
        passed,
        handover: source.handover(),
    };
    server::run(config, start).map_err(Failure::Serve)
}

fn check(file: &Path) -> Result<(), Failure> {
    let config = Config::from_file(file).map_err(Failure::Settings)?;
    server::check(&config).map_err(Failure::Serve)?;
    print(&config.summary())
}

fn print(text: &str) -> Result<(), Failure> {
    match io::stdout().write_all(text.as_bytes()) {
        // Whoever reads has read enough.
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        printed => printed.map_err(Failure::Output),
    }
}

/// Why the program ends with another exit code than 0.
enum Failure {
    Settings(ConfigErrors),
    Serve(ServeError),
    Command(CommandError),
    Output(io::Error),
}

impl Failure {
    fn print(&self) -> u8 {
        let complain = |error: &(dyn Error + 'static), help| server::complain(error, help);
        match self {
            Self::Settings(errors) => {
                eprint!("{}", errors.render(server::has_color(&io::stderr())));
                1
            }
            Self::Serve(error) => {
                complain(error, error.help());
                error.exit_code()
            }
            Self::Command(error) => error.print(),
            Self::Output(error) => {
                complain(error, None);
                3
            }
        }
    }
}
