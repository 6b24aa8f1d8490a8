//! The command line.

use clap::{CommandFactory, Parser, Subcommand};
use clap_complete::Shell;

use super::channels::Channels;
use super::check::Check;
use super::close::Close;
use super::drain::Drain;
use super::probe::Probe;
use super::publish::PublishCommand;
use super::reload::Reload;
use super::run::Run;
use super::sessions::Sessions;
use super::top::Top;
use super::upstreams::Upstreams;

/// The command line, parsed.
#[derive(Debug, Parser)]
#[command(
    name = "wsgate",
    version,
    about = "A WebSocket-aware reverse proxy",
    after_help = EXAMPLES,
)]
pub(super) struct Arguments {
    #[command(subcommand)]
    pub(super) command: Command,
}

/// What the program can do.
#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Serve
    Run(Run),
    /// Validate a file of settings and show the resulting routes; nothing is served
    Check(Check),
    /// Run an echo server, a gate in front of it and a test page, all on this machine
    ///
    /// The page sends messages, breaks rules and shows the gate's log. The demo prints where it is, and the
    /// commands to try on the running gate.
    Demo {
        /// Where the gate listens [default: 127.0.0.1:8080]
        #[arg(long, value_name = "ADDRESS")]
        listen: Option<String>,
        /// Serve https:// and wss://, with a certificate made for this run: browsers warn of it
        #[arg(long)]
        tls: bool,
    },
    /// Print the JSON schema of the settings, for editors
    Schema,
    /// Print a script that completes the command line in a shell
    Completions {
        /// The shell
        #[arg(value_name = "SHELL")]
        shell: Shell,
    },
    /// Open a WebSocket as a client, test it and print the result
    Probe(Probe),
    /// List the sessions of a running wsgate
    Sessions(Sessions),
    /// Close sessions of a running wsgate by number, route, client or upstream
    Close(Close),
    /// Show the servers behind a running wsgate, drain one or resume it
    Upstreams(Upstreams),
    /// Close every session of a running wsgate and refuse new ones
    Drain(Drain),
    /// Make a running wsgate reload its file of settings
    Reload(Reload),
    /// Watch a running wsgate: sessions, traffic, servers, clients, and why sessions end
    Top(Top),
    /// List the channels of a running wsgate, or the members of one
    Channels(Channels),
    /// Publish a message to a channel, a session or a user of a running wsgate
    Publish(PublishCommand),
}

/// The script that completes the command line in this shell.
pub(super) fn completions(shell: Shell) -> String {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut Arguments::command(), "wsgate", &mut script);
    String::from_utf8_lossy(&script).into_owned()
}

const EXAMPLES: &str = "\
Examples:
  wsgate demo                               an echo server and a page to try it out
  wsgate run --to ws://127.0.0.1:9001       in front of one server, without a file
  wsgate run --to ws://127.0.0.1:9001 --http forward             plain HTTP goes there too
  wsgate check wsgate.toml                  what the file means, or what is wrong with it
  wsgate check wsgate.toml --explain ws://chat.example.com/ws/   which rule answers, and why
  wsgate run wsgate.toml                    serve
  wsgate probe ws://127.0.0.1:8080/ws/      what a client gets: status, ping, close code
  wsgate sessions --config wsgate.toml      the sessions of the wsgate with this file
  wsgate top --config wsgate.toml           its live statistics
  wsgate reload --admin unix:/run/wsgate/admin.sock
  wsgate publish news hello --config wsgate.toml                 to all clients in a channel

sessions, close, upstreams, drain, reload, top and channels send requests to the admin interface
of a running wsgate, which [admin] of its settings configures; publish to that of [publish].

A change of FILE, or SIGHUP, reloads the settings and closes no session.
SIGTERM and Ctrl-C close every session before the process ends; a second one ends it at once.";

#[cfg(test)]
mod tests {
    use clap::ValueEnum;

    use super::*;

    fn parse(line: &str) -> Result<Arguments, clap::Error> {
        Arguments::try_parse_from(line.split(' '))
    }

    #[test]
    fn the_parser_is_sound() {
        Arguments::command().debug_assert();
    }

    #[test]
    fn no_line_below_the_options_is_too_long_for_the_help() {
        let mut lines = 0;
        for command in Arguments::command().get_subcommands() {
            for text in [command.get_after_help(), command.get_after_long_help()] {
                let text = text.map(ToString::to_string).unwrap_or_default();
                for line in text.lines() {
                    lines += 1;
                    let is_wide = line.chars().count() > 100;
                    assert!(!is_wide, "{}: {line}", command.get_name());
                }
            }
        }
        assert!(lines > 50, "{lines}");
    }

    #[test]
    fn every_shell_completes_every_command() {
        for shell in Shell::value_variants() {
            let script = completions(*shell);
            for word in ["probe", "upstreams", "explain", "strict", "idempotency-key"] {
                assert!(script.contains(word), "{shell}: {word}");
            }
        }
    }

    #[test]
    fn settings_come_from_a_file_or_from_the_line() {
        for line in [
            "wsgate run wsgate.toml",
            "wsgate run wsgate.toml --handover /run/wsgate.handover",
            "wsgate run --to ws://127.0.0.1:9001",
            "wsgate run --to ws://127.0.0.1:9001 --listen [::]:80",
            "wsgate run --to ws://127.0.0.1:9001 --http forward",
            "wsgate check wsgate.toml",
            "wsgate check - --strict",
            "wsgate check a.toml --explain ws://a/ --origin https://a --from 192.0.2.1",
            "wsgate demo",
            "wsgate demo --listen 127.0.0.1:0",
            "wsgate schema",
            "wsgate completions zsh",
        ] {
            assert!(parse(line).is_ok(), "{line}");
        }
        for line in [
            "wsgate",
            "wsgate run",
            "wsgate run wsgate.toml --to ws://127.0.0.1:9001",
            "wsgate run wsgate.toml --listen 127.0.0.1:80",
            "wsgate run wsgate.toml --http forward",
            "wsgate run --to ws://127.0.0.1:9001 --http maybe",
            "wsgate check",
            "wsgate check a.toml --from 192.0.2.1",
            "wsgate check a.toml --explain ws://a/ --from nowhere",
            "wsgate serve",
        ] {
            assert!(parse(line).unwrap_err().use_stderr(), "{line}");
        }
        for line in [
            "wsgate --help",
            "wsgate run --help",
            "wsgate help check",
            "wsgate --version",
        ] {
            assert!(!parse(line).unwrap_err().use_stderr(), "{line}");
        }
    }
}
