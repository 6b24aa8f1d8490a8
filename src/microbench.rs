//! What `benches/micro/` measures of the library's inside: the walk over frames, and the checks of a
//! handshake.
//!
//! Only the feature `microbench` has it, and it is no part of the public surface: it changes with
//! the code behind it. The settings come from a file's text, as they do elsewhere.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use http::{HeaderMap, header};

use crate::config::{Config, Route};
use crate::frame::FrameRules;
use crate::jwt::{KeySet, TokenRules, UnverifiedToken};
use crate::policy::{address, origin, rate};
use crate::rejection::Rejection;
use crate::request::SingleLine;
use crate::route;
use crate::session::{Meter, OneWay};
use crate::types::Side;

/// The routes of a file, and the policies of the first one.
#[derive(Debug)]
pub struct Policies {
    first: Arc<Route>,
    routes: route::Table,
    rates: rate::RateTable,
}

impl Policies {
    /// `None` where there are no routes.
    pub fn new(config: &Config) -> Option<Self> {
        Some(Self {
            first: Arc::clone(config.routes.first()?),
            routes: route::Table::new(&config.routes),
            rates: rate::RateTable::new(&config.client_ip),
        })
    }

    /// Finds the route of a request that offers no subprotocol.
    pub fn find<'a>(&'a self, host: &str, path: &'a str) -> Result<impl Sized + 'a, Rejection> {
        Ok(self.routes.find(Some(host), path, &[""; 0])?)
    }

    /// Checks an `Origin` of a page that came over TLS.
    pub fn check_origin(&self, headers: &HeaderMap, host: &str) -> Result<(), Rejection> {
        let origin = match headers.get(header::ORIGIN) {
            None => SingleLine::Missing,
            Some(origin) => SingleLine::Once(origin.clone()),
        };
        origin::check(&origin, &self.first.origin, Some(host), None, true)
    }

    /// Checks an address.
    pub fn check_address(&self, ip: IpAddr) -> Result<(), Rejection> {
        Ok(address::check(&self.first.address, ip)?)
    }

    /// Counts a handshake of an address; the place that its session has is given back on drop.
    pub fn admit(&self, ip: IpAddr) -> Result<impl Sized + use<>, Rejection> {
        self.rates.admit(&self.first, ip)
    }

    /// Opens the way from a client at this address to its upstream.
    pub fn way(&self, ip: IpAddr) -> Result<Way, Rejection> {
        let admission = self.rates.admit(&self.first, ip)?;
        let meter = Meter::new(
            [admission.messages(), None],
            None,
            [admission.bytes(), None],
            self.first.limits.on_exceed,
            &Arc::default(),
        );
        let rules = FrameRules {
            from: Side::Client,
            deflate: false,
            message_size: self.first.limits.message_size,
        };
        Ok(Way(OneWay::new(rules, self.first.validate_utf8, meter)))
    }
}

/// An issuer and its tokens.
#[derive(Debug)]
pub struct Tokens {
    rules: TokenRules,
    keys: KeySet,
    now: SystemTime,
}

impl Tokens {
    /// An issuer with these keys, at this moment in seconds since 1970; `None` where they are none.
    pub fn of_keys(jwks: &str, now: u64) -> Option<Self> {
        let algorithms = ["RS256", "PS256", "ES256", "ES384", "EdDSA"];
        Self::new(KeySet::parse(jwks.as_bytes()).ok()?, &algorithms, now)
    }

    /// An issuer with this secret.
    pub fn of_secret(secret: &str, now: u64) -> Option<Self> {
        Self::new(KeySet::of_secret(secret.as_bytes()).ok()?, &["HS256"], now)
    }

    fn new(keys: KeySet, algorithms: &[&str], now: u64) -> Option<Self> {
        let algorithms = algorithms.iter().map(|name| name.parse().ok());
        Some(Self {
            rules: TokenRules {
                issuer: "https://id.example.com/".to_owned(),
                audience: vec!["chat".to_owned()],
                algorithms: algorithms.collect::<Option<_>>()?,
                leeway: Duration::from_secs(30),
            },
            keys,
            now: SystemTime::UNIX_EPOCH + Duration::from_secs(now),
        })
    }

    /// Reads a token and verifies it.
    pub fn verify(&self, token: &str) -> Result<impl Sized + use<>, Rejection> {
        let token = UnverifiedToken::read(token).map_err(Rejection::Token)?;
        let claims = self.rules.verify(&token, &self.keys, self.now);
        claims.map_err(Rejection::Token)
    }
}

/// What a session makes of a client's bytes.
pub struct Way(OneWay);

impl Way {
    /// Walks over what was read, and returns how much of it is passed on, and how much of that is
    /// whole frames.
    ///
    /// # Panics
    /// If anything of it is refused.
    pub fn walk(&mut self, read: &mut Vec<u8>) -> (usize, Option<usize>) {
        let fed = self.0.feed(read);
        assert_eq!(fed.end, None);
        (fed.passed.len(), fed.boundary)
    }
}
