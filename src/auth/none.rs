//! What stands for authentication in a build without the feature `auth`.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use super::ended_login::EndedLogin;
use super::key_source_info::KeySourceInfo;
use super::not_issued::NotIssued;
use crate::config::{Config, Route};
use crate::rejection::Rejection;
use crate::request::{Handshake, Identity};
use crate::shared::Shared;

/// Authenticates nobody: no settings ask for it.
#[derive(Debug)]
pub(crate) struct Authenticator;

/// What decides about the clients of a route: no settings make it.
pub(crate) struct RouteAuth(Infallible);

impl Authenticator {
    pub(crate) fn new(_shared: &Shared) -> Self {
        Self
    }

    pub(crate) fn of_route(&self, _route: &Arc<Route>) -> Option<RouteAuth> {
        None
    }

    pub(crate) fn keep_those_of(&self, _config: &Config) {}

    pub(crate) fn start(&self) {}

    pub(crate) fn sweep(&self) {}

    pub(crate) fn key_sources(&self) -> BTreeMap<Arc<str>, KeySourceInfo> {
        BTreeMap::new()
    }

    pub(crate) fn tickets(&self) -> usize {
        0
    }

    pub(crate) async fn issue_ticket(
        &self,
        _route: &Arc<str>,
        _identity: Identity,
        _session_expires: Option<SystemTime>,
        _lifetime: Duration,
    ) -> Result<String, NotIssued> {
        Err(NotIssued::Unavailable)
    }

    pub(crate) async fn verify_logout(
        &self,
        _config: &Config,
        _issuer: &str,
        _text: &str,
    ) -> Option<Result<EndedLogin, Rejection>> {
        None
    }
}

impl RouteAuth {
    pub(crate) async fn check(&self, _handshake: &mut Handshake) -> Result<(), Rejection> {
        match self.0 {}
    }
}
