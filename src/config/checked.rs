//! Checked settings, as the rest of the crate reads them.

#[cfg(feature = "acme")]
pub(super) mod acme;
pub(super) mod auth;
pub(super) mod channels;
pub(super) mod route;
pub(super) mod rule;
#[cfg(feature = "shared")]
pub(super) mod shared;
pub(super) mod upstream;

use std::collections::BTreeMap;
use std::sync::Arc;

#[cfg(feature = "acme")]
use self::acme::AcmeOrder;
use self::route::Route;
use self::rule::RuleLines;
#[cfg(feature = "shared")]
use self::shared::SharedRules;
use self::upstream::Upstream;
use super::errors::Warnings;
use super::named_file::NamedFile;
use super::settings::{
    AcmeSettings, Admin, ClientIp, Drain, IssuerSettings, Listen, Log, Publish, RouteSettings,
    Server, Settings, SharedSettings, UpstreamSettings,
};
#[cfg(feature = "tls")]
use super::values::ListenAddress;
use super::values::MASK;
use super::values::channel_name::ChannelName;
#[cfg(feature = "tls")]
use crate::tls::{CertificateFacts, ServerTls};

/// A whole, checked set of settings.
///
/// There is no way to make one with a contradiction in it: every value has been parsed, every
/// name resolved, every route's defaults filled in.
#[derive(Clone, Debug, Default)]
pub struct Config {
    pub(crate) listen: Vec<Listen>,
    /// TLS with the clients of the listeners that have it.
    #[cfg(feature = "tls")]
    pub(super) listen_tls: Vec<(ListenAddress, ServerTls)>,
    /// TLS with the clients of the admin listener.
    #[cfg(feature = "tls")]
    pub(super) admin_tls: Option<ServerTls>,
    /// TLS with the clients of the listener for publishers.
    #[cfg(feature = "tls")]
    pub(super) publish_tls: Option<ServerTls>,
    /// Certificates that authorities are asked for, in file order; names are unique.
    #[cfg(feature = "acme")]
    pub(crate) acme: Vec<AcmeOrder>,
    /// Whether the settings name no listener, as those of a library do.
    #[cfg_attr(not(feature = "server"), allow(dead_code))]
    pub(crate) has_default_listener: bool,
    pub(crate) client_ip: ClientIp,
    pub(crate) admin: Option<Admin>,
    /// The listener for publishers; the names and the values of its tokens are unique.
    pub(crate) publish: Option<Publish>,
    /// The engine that several processes share.
    #[cfg(feature = "shared")]
    pub(crate) shared: Option<SharedRules>,
    pub(crate) log: Log,
    pub(crate) drain: Drain,
    pub(crate) server: Server,
    /// In file order; names are unique.
    pub(crate) upstreams: Vec<Arc<Upstream>>,
    /// In file order, which is the order of matching; names are unique.
    pub(crate) routes: Vec<Arc<Route>>,
    pub(crate) rule_lines: RuleLines,
    /// The upstreams and the routes as a file with every default would have them, without a secret.
    pub(super) written: (BTreeMap<String, UpstreamSettings>, Vec<RouteSettings>),
    /// The orders as they are written.
    pub(super) written_acme: BTreeMap<String, AcmeSettings>,
    /// The issuers as they are written.
    pub(super) written_issuers: BTreeMap<String, IssuerSettings>,
    /// The engine as it is written.
    pub(super) written_shared: Option<SharedSettings>,
    /// The files beside the settings that were read for them.
    #[cfg_attr(not(feature = "server"), allow(dead_code))]
    pub(crate) files: Vec<NamedFile>,
    /// What is allowed but probably not meant, for `check` and the log.
    pub(super) warnings: Warnings,
}

impl Config {
    /// What is allowed but probably not meant, one line each: `file:line:column: message`. Settings that
    /// stand in no file have the key in the place of line and column.
    pub fn warnings(&self) -> impl Iterator<Item = String> {
        self.warnings.lines()
    }

    /// Has the listeners show the certificates of `running`, for each order that is still the same.
    #[cfg(feature = "acme")]
    #[cfg_attr(not(feature = "server"), allow(dead_code))]
    pub(crate) fn keep_orders<'o>(&mut self, running: impl Iterator<Item = &'o AcmeOrder>) {
        for running in running {
            let Some(order) = self.acme.iter_mut().find(|order| *order == running) else {
                continue;
            };
            let listeners = self.listen_tls.iter_mut().map(|(_, tls)| tls);
            for tls in listeners
                .chain(&mut self.admin_tls)
                .chain(&mut self.publish_tls)
            {
                tls.replace_ordered(&order.certificate, &running.certificate);
            }
            order.certificate = Arc::clone(&running.certificate);
        }
    }

    /// How many of the last publications of a channel are retained: as many as a route wants that puts sessions into it.
    pub(crate) fn retain_of(&self, channel: &ChannelName) -> usize {
        let rules = self.routes.iter().map(|route| &route.channels);
        let rules = rules.filter(|rules| rules.retain > 0 && rules.may_join(channel));
        rules.map(|rules| rules.retain).max().unwrap_or(0)
    }

    /// Whether both share the same with other gates.
    pub(crate) fn shares_like(&self, other: &Self) -> bool {
        #[cfg(feature = "shared")]
        return self.shared == other.shared;
        #[cfg(not(feature = "shared"))]
        return self.written_shared == other.written_shared;
    }

    /// The orders whose certificates a listener shows.
    #[cfg(feature = "acme")]
    pub(crate) fn orders(&self) -> impl Iterator<Item = &AcmeOrder> {
        let listeners = self.listen.iter().map(|listen| &listen.tls);
        let all = listeners.chain(self.admin.iter().map(|admin| &admin.tls));
        let all = all.chain(self.publish.iter().map(|publish| &publish.tls));
        let names: Vec<_> = all.flatten().filter_map(|tls| tls.acme.as_ref()).collect();
        let orders = self.acme.iter();
        orders.filter(move |order| names.contains(&&order.name))
    }

    /// TLS with the clients of the listeners that have it, by their addresses.
    #[cfg(feature = "tls")]
    pub fn listen_tls(&self) -> &[(ListenAddress, ServerTls)] {
        &self.listen_tls
    }

    /// TLS with the clients of the admin listener, if it has that.
    #[cfg(feature = "tls")]
    pub fn admin_tls(&self) -> Option<&ServerTls> {
        self.admin_tls.as_ref()
    }

    /// TLS with the clients of the listener for publishers, if it has that.
    #[cfg(feature = "tls")]
    pub fn publish_tls(&self) -> Option<&ServerTls> {
        self.publish_tls.as_ref()
    }

    /// The certificates of all listeners, those of the admin interface and for publishers included, each with the address
    /// of its listener.
    #[cfg(feature = "tls")]
    pub fn certificates(&self) -> impl Iterator<Item = (&ListenAddress, CertificateFacts)> {
        let listeners = self.listen_tls.iter().map(|(address, tls)| (address, tls));
        let admin = self.admin.as_ref().map(|admin| &admin.address);
        let all = listeners.chain(admin.zip(self.admin_tls.as_ref()));
        let publish = self.publish.as_ref().map(|publish| &publish.address);
        let all = all.chain(publish.zip(self.publish_tls.as_ref()));
        all.flat_map(|(address, tls)| tls.certificates().map(move |facts| (address, facts)))
    }

    /// The warnings and those of `others`, which are about the file as a whole, as
    /// [`ConfigErrors::render`](crate::config::ConfigErrors::render) shows errors; empty if there is none.
    #[cfg(feature = "server")]
    pub fn render_warnings(&self, others: &[String], color: bool) -> String {
        self.warnings.render(others, color)
    }

    /// Whether the rewrite of this route holds the value of an environment variable, so that no path that
    /// it makes is shown.
    pub(crate) fn hides_rewrite(&self, route: &str) -> bool {
        let mut written = self.written.1.iter();
        written.any(|written| written.name == route && written.rewrite.as_deref() == Some(MASK))
    }

    /// The settings with every default filled in, in the form of the file without `[defaults]`: they are
    /// in every route.
    ///
    /// The values of headers that are set are not in it, nor is a `rewrite` that an environment variable
    /// was filled into: both stand there as `***`. So do the query of `jwks` and that of `auth.forward.url`. Keep the [`Settings`] that you build a `Config` from
    /// if you need them again.
    ///
    /// ```
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let config = wsgate::Config::to("ws://127.0.0.1:9001", None)?;
    /// let settings = config.settings();
    /// assert_eq!(settings.route[0].name, "default");
    /// assert_eq!(settings.server.head_size, 16 * 1024);
    /// # Ok(()) }
    /// ```
    pub fn settings(&self) -> Settings {
        let (upstream, route) = self.written.clone();
        Settings {
            listen: self.listen.clone(),
            acme: self.written_acme.clone(),
            issuer: self.written_issuers.clone(),
            client_ip: self.client_ip.clone(),
            admin: self.admin.clone(),
            publish: self.publish.clone(),
            shared: self.written_shared.clone(),
            log: self.log.clone(),
            drain: self.drain,
            server: self.server.clone(),
            upstream,
            route,
        }
    }
}
