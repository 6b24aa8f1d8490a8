//! One request's way through the gate.

use std::net::IpAddr;

use super::target::Target;
use crate::config::{ForwardingHeader, Route};
use crate::types::ClientAddr;

/// What is known of a request beyond its own head: where it came from, and by which route it
/// goes on.
#[derive(Clone, Copy)]
pub(crate) struct Hop<'a> {
    pub(crate) route: &'a Route,
    pub(crate) target: &'a Target,
    /// What the route's path captured under a name.
    pub(crate) captured: &'a (dyn Fn(&str) -> Option<&'a str> + Sync),
    /// Who the client was found to be, behind trusted proxies.
    pub(crate) client_ip: IpAddr,
    pub(crate) peer: ClientAddr,
    /// The header in which the peer names its own peer, if it is a trusted proxy.
    pub(crate) trusted: Option<ForwardingHeader>,
    /// `http` or `https`: what the client's connection to the gate speaks.
    pub(crate) scheme: &'static str,
}
