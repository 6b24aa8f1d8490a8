//! What a session begins with.

use std::sync::Arc;

use bytes::Bytes;

use super::filter::MessageFilter;
use super::meter::Meter;
use crate::config::Route;

/// One end of a session: the socket, and what had been read of it before the session began.
pub(crate) struct Endpoint<S> {
    pub(crate) io: S,
    pub(crate) early: Bytes,
}

/// What a session goes by, settled when it begins.
pub(crate) struct SessionParameters {
    pub(crate) route: Arc<Route>,
    /// `permessage-deflate` was agreed end to end.
    pub(crate) deflate: bool,
    pub(crate) meter: Option<Meter>,
    pub(crate) filter: Option<Box<dyn MessageFilter>>,
}
