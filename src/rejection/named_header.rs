//! The header that a rejection is about.

use http::{HeaderName, header};

use super::Rejection;

impl Rejection {
    /// The header of the request that it is about, where that is always the same one.
    pub(crate) fn header(&self) -> Option<HeaderName> {
        match self {
            Self::KeyMissing | Self::KeyInvalid => Some(header::SEC_WEBSOCKET_KEY),
            Self::Version => Some(header::SEC_WEBSOCKET_VERSION),
            Self::TransferEncoding => Some(header::TRANSFER_ENCODING),
            Self::Host | Self::AuthorityMismatch | Self::HostNotOurs | Self::Misdirected => {
                Some(header::HOST)
            }
            Self::OriginMissing | Self::OriginDenied | Self::OriginInvalid => Some(header::ORIGIN),
            Self::LoopDetected => Some(header::VIA),
            _ => None,
        }
    }
}
