//! The log of the program, on standard error.

pub(crate) mod queue;

mod copy;
mod own_lines;
mod panics;
mod stderr;
mod text;

use std::io::{self, IsTerminal};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::time::Instant;
use tracing::{Dispatch, dispatcher};
use tracing_subscriber::filter::EnvFilter;
use tracing_subscriber::fmt::MakeWriter;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::{Registry, fmt as log_lines, reload};

use self::own_lines::OwnLines;
use self::queue::{LogQueue, LogWriter};
use self::stderr::StandardError;
use self::text::TextFields;
use crate::config::{Log, LogFormat};

pub use self::copy::LogCopy;
pub use self::stderr::report;

/// `log.level` that is neither a level nor a filter. It does not show the value, nor does it keep the
/// cause, which may quote it: an environment variable may have been filled in.
#[derive(Debug, thiserror::Error)]
#[error("`log.level` is neither a level nor a filter")]
#[non_exhaustive]
pub struct LogError;

/// The target of the lines about a session's beginning and end.
const ACCESS: &str = "wsgate::access";

/// The target of the crate h2. What it warns of the gate tells too, as a sample.
const HTTP_2: &str = "h2";

/// Lets one log line through in an interval.
#[derive(Debug)]
pub(super) struct LogInterval {
    interval: Duration,
    last: Mutex<Option<Instant>>,
}

impl LogInterval {
    pub(super) fn new(interval: Duration) -> Self {
        let last = Mutex::default();
        Self { interval, last }
    }

    /// True if the last line is long enough ago; then this is the last line.
    pub(super) fn admit(&self) -> bool {
        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        let now = Instant::now();
        let is_over = last.is_none_or(|last| now.duration_since(last) >= self.interval);
        if is_over {
            *last = Some(now);
        }
        is_over
    }
}

/// Changes what the log shows.
#[derive(Clone, Debug)]
pub(super) struct LogControl {
    filter: Filter,
    queue: LogQueue,
}

type Filter = reload::Handle<EnvFilter, Registry>;

impl LogControl {
    /// Changes the level, and whether sessions have their lines. The format stays.
    pub(super) fn apply(&self, filter: EnvFilter) {
        if let Err(error) = self.filter.reload(filter) {
            // Then nothing is logged any more, this line included.
            tracing::debug!(%error, "the log is gone");
        }
    }

    /// The lines that wait to be written.
    pub(super) fn queue(&self) -> &LogQueue {
        &self.queue
    }
}

/// Whether to write color there: only to a terminal, and not where the person said no
/// (<https://no-color.org>).
pub fn has_color(stream: &impl IsTerminal) -> bool {
    let refused = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
    !refused && stream.is_terminal()
}

/// Begins to write to standard error, and to the copy: the lines that go into the queue, until the writer is
/// dropped.
pub(super) fn start(settings: &Log, copy: Option<LogCopy>) -> io::Result<(LogQueue, LogWriter)> {
    let own_lines = OwnLines {
        format: settings.format,
        color: has_color(&io::stderr()),
    };
    match copy {
        Some(copy) => LogQueue::start(copy.beside(StandardError), own_lines),
        None => LogQueue::start(StandardError, own_lines),
    }
}

/// Sends the log and the panics of the process to the queue. A log that was set up before stays, and
/// cannot be changed here.
pub(super) fn install(settings: &Log, queue: &LogQueue) -> Result<Option<LogControl>, LogError> {
    let color = has_color(&io::stderr());
    let (log, filter) = log_to(settings, queue.clone(), color)?;
    if dispatcher::set_global_default(log).is_err() {
        tracing::debug!("the log was set up before");
        return Ok(None);
    }
    panics::to_log(queue.clone());
    let queue = queue.clone();
    Ok(Some(LogControl { filter, queue }))
}

/// Whether the settings make a log.
pub(super) fn check(settings: &Log) -> Result<(), LogError> {
    filter(settings).map(|_| ())
}

fn log_to<W>(settings: &Log, writer: W, color: bool) -> Result<(Dispatch, Filter), LogError>
where
    W: for<'a> MakeWriter<'a> + Send + Sync + 'static,
{
    let (filter, handle) = reload::Layer::new(filter(settings)?);
    let registry = Registry::default().with(filter);
    let log = match settings.format {
        LogFormat::Text => Dispatch::new(
            registry.with(
                log_lines::layer()
                    .fmt_fields(TextFields)
                    .with_ansi(color)
                    .with_target(false)
                    .with_writer(writer),
            ),
        ),
        LogFormat::Json => Dispatch::new(
            registry.with(
                log_lines::layer()
                    .json()
                    .flatten_event(true)
                    .with_current_span(false)
                    .with_span_list(false)
                    .with_writer(writer),
            ),
        ),
    };
    Ok((log, handle))
}

/// What of the log the settings let through.
pub(super) fn filter(settings: &Log) -> Result<EnvFilter, LogError> {
    // What settings say of the same target comes later, and holds.
    let level = format!("{HTTP_2}=off,{}", settings.level);
    let directives = match settings.access {
        true => level,
        false => format!("{level},{ACCESS}=off"),
    };
    (EnvFilter::builder().parse(directives)).map_err(|_may_quote_it| LogError)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::text::LONGEST_VALUE;
    use super::*;

    #[derive(Clone, Default)]
    struct Lines(Arc<Mutex<Vec<u8>>>);

    impl Lines {
        fn of(settings: &Log, events: impl FnOnce()) -> String {
            let lines = Self::default();
            let writer = lines.clone();
            let (log, _filter) = log_to(settings, move || writer.clone(), false).unwrap();
            dispatcher::with_default(&log, events);
            String::from_utf8(lines.0.lock().unwrap().clone()).unwrap()
        }
    }

    impl io::Write for Lines {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().write(bytes)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    fn settings(level: &str, format: LogFormat) -> Log {
        Log {
            level: level.to_owned(),
            format,
            access: true,
            subject: false,
        }
    }

    const HOSTILE: &str = "a\r\nINFO forged line \x1b[31m\u{9b}31m";

    #[test]
    fn a_value_cannot_forge_a_line_or_steer_a_terminal() {
        for format in [LogFormat::Text, LogFormat::Json] {
            let lines = Lines::of(&settings("info", format), || {
                tracing::info!(host = HOSTILE, path = %HOSTILE, debug = ?HOSTILE, "{HOSTILE}");
            });
            assert_eq!(lines.matches('\n').count(), 1, "{lines}");
            let only_line = lines.strip_suffix('\n').unwrap();
            let raw: Vec<_> = only_line
                .chars()
                .filter(|character| character.is_ascii_control())
                .collect();
            assert!(raw.is_empty(), "{format:?}: {only_line:?}: {raw:?}");
        }
    }

    #[test]
    fn a_long_value_is_cut() {
        let lines = Lines::of(&settings("info", LogFormat::Text), || {
            tracing::info!(host = %"x".repeat(10_000), "refused");
        });
        assert_eq!(lines.matches('x').count(), LONGEST_VALUE - 1);
        assert_eq!(lines.matches('…').count(), 1);
    }

    #[test]
    fn text_is_a_message_with_values_behind_it() {
        let lines = Lines::of(&settings("info", LogFormat::Text), || {
            tracing::info!(address = %"127.0.0.1:80", sessions = 3, "listening");
        });
        assert!(
            lines.ends_with("INFO listening address=127.0.0.1:80 sessions=3\n"),
            "{lines}"
        );
    }

    #[test]
    fn a_word_stands_without_quotes_and_everything_else_within() {
        for (value, expected) in [
            ("no_route", "no_route"),
            ("ws://127.0.0.1:80/a?b", "ws://127.0.0.1:80/a?b"),
            ("[::1]:80", "[::1]:80"),
            ("", "\"\""),
            (
                "connection refused (os error 111)",
                "\"connection refused (os error 111)\"",
            ),
            ("x reason=accepted", "\"x reason=accepted\""),
            ("reason=accepted", "\"reason=accepted\""),
            ("a\" reason=b", "\"a\\\" reason=b\""),
            ("a\\", "\"a\\\\\""),
            ("it's here", "\"it's here\""),
            ("hör", "\"hör\""),
            ("\u{202e}", "\"\\u{202e}\""),
        ] {
            let lines = Lines::of(&settings("info", LogFormat::Text), || {
                tracing::info!(word = value, shown = %value, left = 1, "refused");
            });
            let fields = format!("refused word={expected} shown={expected} left=1\n");
            assert!(lines.ends_with(&fields), "{value}: {lines}");
        }
    }

    #[test]
    fn a_message_has_no_quotes_of_its_own() {
        let lines = Lines::of(&settings("info", LogFormat::Text), || {
            tracing::info!("a \"message\" it's\n {:?}", "x");
        });
        assert!(
            lines.ends_with("INFO a \"message\" it's\\n \"x\"\n"),
            "{lines}"
        );
    }

    #[test]
    fn json_is_an_object_a_line() {
        let lines = Lines::of(&settings("info", LogFormat::Json), || {
            tracing::warn!(reason = "no_route", "refused");
        });
        let line: serde_json::Value = serde_json::from_str(&lines).unwrap();
        assert_eq!(line["level"], "WARN");
        assert_eq!(line["message"], "refused");
        assert_eq!(line["reason"], "no_route");
    }

    #[test]
    fn a_level_is_a_floor_and_a_filter_is_by_target() {
        for (level, expected) in [
            ("error", ""),
            ("warn", "w"),
            ("info", "wi"),
            ("error,here=info", "i"),
        ] {
            let lines = Lines::of(&settings(level, LogFormat::Text), || {
                tracing::warn!("w");
                tracing::info!(target: "here", "i");
            });
            let messages: String = lines
                .lines()
                .filter_map(|line| line.chars().last())
                .collect();
            assert_eq!(messages, expected, "{level}");
        }
    }

    #[test]
    fn the_crate_of_http_2_is_silent_unless_it_is_named() {
        // It warns once for each connection that floods, without an end.
        for (level, expected) in [("info", 0), ("trace", 0), ("info,h2=warn", 1)] {
            let lines = Lines::of(&settings(level, LogFormat::Text), || {
                tracing::warn!(target: "h2::proto::streams::recv", "too many resets");
            });
            assert_eq!(lines.lines().count(), expected, "{level}");
        }
    }

    #[test]
    fn the_lines_of_sessions_can_be_turned_off_alone() {
        for (access, expected) in [(true, 2), (false, 1)] {
            let settings = Log {
                access,
                ..settings("info", LogFormat::Text)
            };
            let lines = Lines::of(&settings, || {
                tracing::info!(target: "wsgate::access", "session open");
                tracing::info!(target: "wsgate::rejection", "rejected");
            });
            assert_eq!(lines.lines().count(), expected, "{lines}");
        }
    }

    #[test]
    fn the_level_and_the_lines_of_sessions_change_while_it_logs() {
        let lines = Lines::default();
        let writer = lines.clone();
        let quiet = settings("warn", LogFormat::Text);
        let (log, in_force) = log_to(&quiet, move || writer.clone(), false).unwrap();
        dispatcher::with_default(&log, || {
            let lines_of = |settings: Log| {
                in_force.reload(filter(&settings).unwrap()).unwrap();
                lines.0.lock().unwrap().clear();
                tracing::info!("line");
                tracing::info!(target: "wsgate::access", "session open");
                let text = String::from_utf8(lines.0.lock().unwrap().clone()).unwrap();
                text.lines().count()
            };
            let without_sessions = Log {
                access: false,
                ..settings("info", LogFormat::Text)
            };
            assert_eq!(lines_of(settings("info", LogFormat::Text)), 2);
            assert_eq!(lines_of(without_sessions), 1);
            assert_eq!(lines_of(quiet.clone()), 0);
        });
    }

    #[test]
    fn what_is_neither_a_level_nor_a_filter_is_an_error() {
        // Others are refused where the settings are read.
        for level in [
            "wsgate=loud",
            "wsgate=canary,info",
            "a[{canary=\"(\"}]=info",
        ] {
            let error = check(&settings(level, LogFormat::Text)).unwrap_err();
            assert!(!format!("{error} {error:?}").contains("canary"), "{error}");
        }
    }
}
