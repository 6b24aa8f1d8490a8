//! `wsgate reload`: has the file of settings read again.

use std::fmt::Write;
use std::time::Duration;

use clap::Args;
use http::{Method, StatusCode};
use serde_json::Value;

use super::admin::Target;
use super::error::CommandError;
use super::interface::RequestTarget;
use super::output::print;

/// A reload is answered when it is done, after a minute at most.
const TIMEOUT: Duration = Duration::from_secs(75);

/// What is to read its file again.
#[derive(Args, Debug)]
#[command(after_help = EXAMPLES)]
pub(super) struct Reload {
    #[command(flatten)]
    target: Target,
}

const EXAMPLES: &str = with_exit_codes!(
    "\
Examples:
  wsgate check /etc/wsgate/wsgate.toml && wsgate reload

The process reads the file that it was started with. A wrong file changes nothing: its errors are
shown as by `wsgate check`, and the exit code is 1."
);

impl Reload {
    pub(super) async fn carry_out(self) -> Result<(), CommandError> {
        let client = self.target.client()?;
        let target = RequestTarget::path("/reload");
        let response = client.send_within(TIMEOUT, Method::POST, &target).await?;
        if response.status == StatusCode::UNPROCESSABLE_ENTITY {
            let rejected = response.json()?;
            let rendered = rejected["rendered"].as_str();
            let rendered = rendered.ok_or_else(|| response.unexpected())?;
            return Err(CommandError::rendered(rendered.to_owned()));
        }
        let response = response.succeeded()?;
        let applied = response.json()?;
        if !applied["changed"].is_boolean() {
            return Err(response.unexpected().into());
        }
        print(&describe(&applied))
    }
}

/// What changed, a line for each kind of change.
fn describe(applied: &Value) -> String {
    let mut text = match applied["changed"].as_bool() {
        Some(true) => "settings reloaded\n".to_owned(),
        _ => "settings unchanged\n".to_owned(),
    };
    for (what, changed) in [
        ("routes added", &applied["routes"]["added"]),
        ("routes removed", &applied["routes"]["removed"]),
        ("routes changed", &applied["routes"]["changed"]),
        ("sessions closed", &applied["sessions_sent_away"]),
        ("listeners added", &applied["listeners"]["added"]),
        ("listeners removed", &applied["listeners"]["removed"]),
        ("changed", &applied["keys"]),
        ("only after a restart", &applied["needs_restart"]),
    ] {
        if let Some(changed) = words(changed) {
            // Writing to a string cannot fail.
            let _written = writeln!(text, "  {what:<22}{changed}");
        }
    }
    text
}

/// A list of names, or a number; `None` where nothing is in it.
fn words(value: &Value) -> Option<String> {
    match value {
        Value::Array(words) => {
            let words: Vec<_> = words.iter().filter_map(Value::as_str).collect();
            let words = words.join(", ").escape_debug().to_string();
            (!words.is_empty()).then_some(words)
        }
        Value::Number(number) if number.as_u64() != Some(0) => Some(number.to_string()),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn only_changes_are_listed() {
        let mut applied = json!({
            "changed": true,
            "routes": {"added": ["feed", "news"], "removed": [], "changed": ["chat"]},
            "sessions_sent_away": 0,
            "listeners": {"added": [], "removed": ["127.0.0.1:80"]},
            "keys": ["log.level"],
            "needs_restart": ["server.workers"],
        });
        let expected = "settings reloaded\n  \
             routes added          feed, news\n  \
             routes changed        chat\n  \
             listeners removed     127.0.0.1:80\n  \
             changed               log.level\n  \
             only after a restart  server.workers\n";
        assert_eq!(describe(&applied), expected);
        applied = json!({
            "changed": false, "sessions_sent_away": 3, "needs_restart": ["log.format"],
        });
        let expected = "settings unchanged\n  sessions closed       3\n  \
             only after a restart  log.format\n";
        assert_eq!(describe(&applied), expected);
    }
}
