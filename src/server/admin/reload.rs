//! `POST /reload`: the one request whose answer takes a while.

use std::time::Duration;

use http::StatusCode;
use serde_json::{Value, json};
use tokio::time::timeout;

use super::AdminService;
use super::answer::{Answer, answer_json, error};
use crate::server::reload::applied::Applied;
use crate::server::reload::rejected::Rejected;

/// Longer than any reload takes; the one before may still be under way.
const TIMEOUT: Duration = Duration::from_secs(60);

pub(super) async fn reload(admin: AdminService) -> Answer {
    let Some(reloads) = &admin.inner.reloads else {
        let no_file = "there is no file to read settings from";
        return error(StatusCode::CONFLICT, no_file);
    };
    match timeout(TIMEOUT, reloads.ask()).await {
        Ok(Some(Ok(applied))) => answer_json(StatusCode::OK, &summary(&applied)),
        Ok(Some(Err(rejected))) => {
            answer_json(StatusCode::UNPROCESSABLE_ENTITY, &errors(&rejected))
        }
        Ok(None) => error(StatusCode::SERVICE_UNAVAILABLE, "the process is stopping"),
        Err(_late) => error(StatusCode::SERVICE_UNAVAILABLE, "the reload takes too long"),
    }
}

fn summary(applied: &Applied) -> Value {
    let addresses = |addresses: &[_]| {
        let words = addresses.iter().map(ToString::to_string);
        words.collect::<Vec<String>>()
    };
    let routes = &applied.gate;
    json!({
        "changed": !applied.is_unchanged(),
        "routes": {
            "added": names(&routes.routes_added),
            "removed": names(&routes.routes_removed),
            "changed": names(&routes.routes_changed),
        },
        "sessions_sent_away": routes.sessions_sent_away,
        "listeners": {
            "added": addresses(&applied.listeners_added),
            "removed": addresses(&applied.listeners_removed),
        },
        "keys": applied.keys,
        "needs_restart": applied.needs_restart,
    })
}

fn names(names: &[std::sync::Arc<str>]) -> Vec<&str> {
    names.iter().map(|name| &**name).collect()
}

fn errors(rejected: &Rejected) -> Value {
    let errors = rejected.errors();
    let errors = errors.iter().map(|error| {
        json!({
            "file": error.file,
            "line": error.line,
            "column": error.column,
            "message": error.message,
            "help": error.help,
        })
    });
    json!({
        "error": "the settings are wrong, and nothing was changed",
        "rendered": rejected.render(),
        "errors": errors.collect::<Vec<_>>(),
    })
}
