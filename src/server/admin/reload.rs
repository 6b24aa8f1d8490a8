//! `POST /reload`: the one request whose answer takes a while.

use std::time::Duration;

use axum::extract::State;
use axum::response::{IntoResponse, Response};
use http::StatusCode;
use serde::Serialize;
use tokio::time::timeout;
use utoipa::ToSchema;

use super::interface::Shared;
use crate::server::api::query::{NoKeys, Query};
use crate::server::api::response::{Error, Json, Refusal, WrongQuery};
use crate::server::lifecycle::reload::applied::Applied;
use crate::server::lifecycle::reload::rejected::{Rejected, SettingsError};

#[derive(Serialize, ToSchema)]
pub(super) struct Reloaded {
    changed: bool,
    routes: ChangedRoutes,
    /// Sessions of removed routes.
    sessions_sent_away: usize,
    listeners: ChangedListeners,
    /// Other keys and tables with new values.
    keys: Vec<&'static str>,
    /// Keys whose new values hold only after a restart.
    needs_restart: Vec<&'static str>,
}

#[derive(Serialize, ToSchema)]
struct ChangedRoutes {
    added: Vec<String>,
    removed: Vec<String>,
    changed: Vec<String>,
}

#[derive(Serialize, ToSchema)]
struct ChangedListeners {
    added: Vec<String>,
    removed: Vec<String>,
}

#[derive(Serialize, ToSchema)]
pub(super) struct WrongSettings {
    error: &'static str,
    /// How many errors were found.
    found: usize,
    /// The errors as `wsgate check` shows them.
    rendered: String,
    /// The first 50 errors.
    errors: Vec<SettingsError>,
}

/// Longer than any reload takes; the one before may still be under way.
const TIMEOUT: Duration = Duration::from_secs(60);

/// Reads the file of settings again.
#[utoipa::path(post, path = "/reload", operation_id = "reload",
    responses(
        (status = 200, description = "What it changed.", body = Reloaded),
        WrongQuery,
        (status = 409, description = "The settings came from no file.", body = Error),
        (status = 422, description = "The file is wrong; nothing has changed.", body = WrongSettings),
        (status = 503, description = "The process is stopping, or the reload takes too long.", body = Error),
    ))]
pub(super) async fn reload(
    State(interface): Shared,
    _: Query<NoKeys>,
) -> Result<Response, Refusal> {
    let Some(reloads) = &interface.reloads else {
        let no_file = "there is no file to read settings from";
        return Err(Refusal::new(StatusCode::CONFLICT, no_file));
    };
    let unavailable = |sentence| Refusal::new(StatusCode::SERVICE_UNAVAILABLE, sentence);
    let outcome = timeout(TIMEOUT, reloads.request())
        .await
        .map_err(|_late| unavailable("the reload takes too long"))?
        .ok_or_else(|| unavailable("the process is stopping"))?;
    Ok(match outcome {
        Ok(applied) => Json(Reloaded::from(applied)).into_response(),
        Err(rejected) => {
            let errors = Json(WrongSettings::from(rejected));
            (StatusCode::UNPROCESSABLE_ENTITY, errors).into_response()
        }
    })
}

impl From<Applied> for Reloaded {
    fn from(applied: Applied) -> Self {
        Self {
            changed: !applied.is_unchanged(),
            routes: ChangedRoutes {
                added: words(&applied.gate.routes_added),
                removed: words(&applied.gate.routes_removed),
                changed: words(&applied.gate.routes_changed),
            },
            sessions_sent_away: applied.gate.sessions_sent_away,
            listeners: ChangedListeners {
                added: words(&applied.listeners_added),
                removed: words(&applied.listeners_removed),
            },
            keys: applied.keys,
            needs_restart: applied.needs_restart,
        }
    }
}

impl From<Rejected> for WrongSettings {
    fn from(rejected: Rejected) -> Self {
        Self {
            error: "the settings are wrong, and nothing was changed",
            found: rejected.found(),
            rendered: rejected.render(),
            errors: rejected.into_errors(),
        }
    }
}

fn words(names: &[impl ToString]) -> Vec<String> {
    names.iter().map(ToString::to_string).collect()
}
