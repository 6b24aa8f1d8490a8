//! Checked settings, as the rest of the crate reads them.

pub(super) mod route;
pub(super) mod upstream;

use std::collections::BTreeMap;
use std::sync::Arc;

use self::route::Route;
use self::upstream::Upstream;
use super::settings::{
    Admin, ClientIp, Drain, Listen, Log, RouteSettings, Server, UpstreamSettings,
};

/// A whole, checked set of settings.
///
/// There is no way to make one with a contradiction in it: every value has been parsed, every
/// name resolved, every route's defaults filled in.
#[derive(Clone, Debug, Default)]
pub struct Config {
    pub(crate) listen: Vec<Listen>,
    pub(crate) client_ip: ClientIp,
    pub(crate) admin: Option<Admin>,
    #[cfg_attr(not(feature = "server"), allow(dead_code, reason = "for the program"))]
    pub(crate) log: Log,
    pub(crate) drain: Drain,
    #[cfg_attr(not(feature = "server"), allow(dead_code, reason = "for the program"))]
    pub(crate) server: Server,
    /// In file order; names are unique.
    pub(crate) upstreams: Vec<Arc<Upstream>>,
    /// In file order, which is the order of matching; names are unique.
    pub(crate) routes: Vec<Arc<Route>>,
    /// The upstreams and the routes as a file with every default would have them, without a secret.
    #[cfg_attr(not(feature = "server"), allow(dead_code, reason = "for the program"))]
    pub(super) written: (BTreeMap<String, UpstreamSettings>, Vec<RouteSettings>),
    /// What is allowed but probably not meant, for `check` and the log.
    pub(crate) warnings: Vec<String>,
}

impl Config {
    /// What is allowed but probably not meant, each with the line or the key that it is about.
    pub fn warnings(&self) -> impl Iterator<Item = &str> {
        self.warnings.iter().map(String::as_str)
    }
}
