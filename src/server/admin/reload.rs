//! `POST /reload`: the one request whose answer takes a while.

use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, Method, Response, StatusCode};
use http_body_util::Full;
use serde_json::{Value, json};
use tokio::time::timeout;

use super::{AdminService, answer_json, error};
use crate::server::reload::{Applied, Rejected, Reloads};

/// Longer than any reload takes; the one before may still be under way.
const TIMEOUT: Duration = Duration::from_secs(60);

impl AdminService {
    /// Who does the reload that a request asks for, if it does and may.
    pub(super) fn reloads(
        &self,
        method: &Method,
        path: &str,
        headers: &HeaderMap,
    ) -> Option<Reloads> {
        if path != "/reload" || *method != Method::POST || self.refuse(path, headers).is_some() {
            return None;
        }
        self.inner.reloads.clone()
    }
}

/// The answer where the settings came from no file.
pub(super) fn no_file() -> Response<Full<Bytes>> {
    error(
        StatusCode::CONFLICT,
        "there is no file to read settings from",
    )
}

pub(super) async fn reload(reloads: &Reloads) -> Response<Full<Bytes>> {
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
