//! The header in which an upstream names channels.

use http::HeaderName;

/// Names the channels of a session in the upstream's answer.
pub(super) const CHANNELS: HeaderName = HeaderName::from_static("wsgate-channels");
