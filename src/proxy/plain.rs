//! Plain HTTP requests on routes that forward them, for the program's forwarder.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use http::{HeaderMap, Uri, header, request, response};

use super::flow;
use super::gate::Gate;
use super::rejected::Refusal;
use super::settings::Snapshot;
use crate::config::PlainHttp;
use crate::handshake::{self, Target};
use crate::policy;
use crate::policy::address::ClientIdentity;
use crate::rejection::Rejection;
use crate::route::Match;
use crate::types::ClientAddr;
use crate::upstream::{Pool, UpstreamError};

/// Where a plain request goes, and as what.
#[derive(Debug)]
pub(crate) struct PlainRoute {
    name: Arc<str>,
    pub(crate) pool: Pool,
    pub(crate) client: IpAddr,
    /// A client that takes no byte of the answer for so long is a slow reader.
    pub(crate) write_timeout: Duration,
    headers: HeaderMap,
    path: String,
    query: Option<String>,
}

impl Gate {
    /// Decides about a plain request: its route must forward such, and let its client in.
    ///
    /// The order is that of a handshake. The Origin is checked where there is one: a browser
    /// sends none with a page's own GET requests, so that its absence tells nothing here.
    pub(crate) fn plain(&self, parts: &request::Parts) -> Result<PlainRoute, Rejection> {
        let core = self.core();
        let settings = core.settings();
        let early = |rejection| self.refuse_plain(parts, rejection);
        let client = core.identify(&settings, parts).map_err(early)?;
        let target = Target::of(parts).map_err(early)?;
        let offered: &[&str] = &[];
        let found = settings
            .routes
            .find(target.host(), target.path(), offered)
            .map_err(early)?;
        self.decide_on(&found, &settings, parts, &target, &client)
            .map_err(|rejection| {
                let refusal = Refusal::on(&found.route().name, rejection);
                core.refuse(parts, refusal)
            })
    }

    fn decide_on(
        &self,
        found: &Match<'_>,
        settings: &Snapshot,
        parts: &request::Parts,
        target: &Target,
        client: &ClientIdentity,
    ) -> Result<PlainRoute, Rejection> {
        let route = found.route();
        if route.http != PlainHttp::Forward {
            return Err(Rejection::NotUpgrade);
        }
        if !self.handle().is_ready() {
            return Err(Rejection::Draining);
        }
        policy::address::check(&route.address, client.ip)?;
        if parts.headers.contains_key(header::ORIGIN) {
            flow::check_origin(parts, target, route)?;
        }
        let captured = |name: &str| found.param(name);
        let hop = flow::hop(settings, parts, target, route, client, &captured);
        Ok(PlainRoute {
            name: Arc::clone(&route.name),
            pool: settings.pool(route).clone(),
            client: client.ip,
            write_timeout: route.timeouts.write,
            headers: handshake::plain_request_headers(&parts.headers, &hop)?,
            path: found.upstream_path()?.into_owned(),
            query: target.query().map(str::to_owned),
        })
    }
}

impl Gate {
    /// Counts and logs a plain request that is refused before its route is looked for, and gives
    /// its rejection back.
    pub(crate) fn refuse_plain(&self, parts: &request::Parts, rejection: Rejection) -> Rejection {
        self.core().refuse(parts, rejection)
    }

    /// The same for one that its route does not serve.
    pub(crate) fn refuse_on(
        &self,
        route: &PlainRoute,
        parts: &request::Parts,
        error: UpstreamError,
    ) -> Rejection {
        self.core().refuse(parts, Refusal::on(&route.name, error))
    }

    /// Counts and logs a request of which not even the head could be read.
    pub(crate) fn refuse_malformed(&self, peer: ClientAddr, reason: &'static str) {
        self.core().keep_house();
        self.core().refused_malformed(peer, reason);
    }
}

impl Gate {
    /// How many sessions there are.
    pub(crate) fn open_sessions(&self) -> usize {
        self.core().registry.count()
    }
}

impl PlainRoute {
    /// The head that goes to a server with this base path.
    pub(crate) fn request(
        &self,
        received: &request::Parts,
        base_path: &str,
    ) -> Result<request::Parts, Rejection> {
        let path = flow::path_and_query(base_path, &self.path, self.query.as_deref());
        let mut sent = http::Request::new(()).into_parts().0;
        sent.method = received.method.clone();
        sent.uri = path.parse::<Uri>().map_err(|_| Rejection::Path)?;
        sent.headers = self.headers.clone();
        Ok(sent)
    }

    /// What of the server's head goes on to the client.
    pub(crate) fn response(&self, parts: &mut response::Parts) {
        handshake::plain_response_headers(&mut parts.headers);
    }
}
