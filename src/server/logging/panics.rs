//! Panics go to the log: the hook of the standard library would wait for standard error.

use std::backtrace::{Backtrace, BacktraceStatus};
use std::panic::{self, PanicHookInfo};
use std::thread;

use serde_json::{Value, json};

use super::queue::LogQueue;
use super::text::LONGEST_VALUE;

/// Writes a line for each panic of the process from now on, whatever the level of the log.
pub(super) fn to_log(queue: LogQueue) {
    // Straight to the queue: the thread may have panicked while it formatted a line.
    panic::set_hook(Box::new(move |panic| {
        let line = queue.own_lines().panic(&fields(panic));
        queue.push(line.as_bytes());
    }));
}

fn fields(panic: &PanicHookInfo<'_>) -> Vec<(&'static str, Value)> {
    let thread = thread::current();
    let message = panic.payload_as_str().unwrap_or("not a text");
    let message: String = message.chars().take(LONGEST_VALUE).collect();
    let mut fields = vec![
        ("reason", json!("panic")),
        ("thread", json!(thread.name())),
        ("location", json!(panic.location().map(ToString::to_string))),
        ("error", json!(message)),
    ];
    // As `RUST_BACKTRACE` says.
    let backtrace = Backtrace::capture();
    if backtrace.status() == BacktraceStatus::Captured {
        fields.push(("backtrace", json!(backtrace.to_string())));
    }
    fields.retain(|(_, value)| !value.is_null());
    fields
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use super::*;
    use crate::config::LogFormat;
    use crate::server::logging::own_lines::OwnLines;

    #[test]
    fn a_panic_is_a_line_with_its_place() {
        let before = panic::take_hook();
        let panics = Arc::new(Mutex::new(Vec::new()));
        let kept = Arc::clone(&panics);
        panic::set_hook(Box::new(move |panic| {
            kept.lock().unwrap().push(fields(panic));
            before(panic);
        }));
        let thread = thread::Builder::new().name("here".to_owned());
        let panicked = thread.spawn(|| panic!("a \"{}\"\n", "message")).unwrap();
        assert!(panicked.join().is_err());
        let _ours = panic::take_hook();
        let own_lines = OwnLines {
            format: LogFormat::Text,
            color: false,
        };
        // Other tests may panic meanwhile.
        let panics = panics.lock().unwrap();
        let lines: Vec<_> = panics
            .iter()
            .map(|fields| own_lines.panic(fields))
            .collect();
        let ours = lines
            .iter()
            .find(|line| line.contains("thread=here"))
            .unwrap();
        assert!(ours.contains("ERROR a thread panicked reason=panic thread=here location=src/server/logging/panics.rs:"), "{ours}");
        assert!(ours.contains("error=\"a \\\"message\\\"\\n\""), "{ours}");
        assert_eq!(ours.matches('\n').count(), 1);
    }
}
