//! What a policy gives to a request that it accepts.

use std::any::Any;
use std::fmt;
use std::sync::Arc;
use std::time::SystemTime;

use http::{HeaderName, HeaderValue};

use super::identity::Identity;
use crate::close::CloseCode;

/// What a [`Policy`](crate::Policy) gives to a request that it accepts; by default nothing but the
/// permission.
///
/// A session keeps its grants until both of its legs are shut; a plain request keeps them until
/// its response is over.
///
/// ```
/// use wsgate::{Grant, Identity};
///
/// let grant = Grant::new()
///     .with_identity(Identity::new("alice").with_claim("team", "blue"))
///     .with_header("x-user".parse()?, "alice".parse()?);
/// # let _ = grant;
/// # Ok::<_, Box<dyn std::error::Error>>(())
/// ```
#[derive(Default)]
pub struct Grant {
    permit: Option<Box<dyn Any + Send + Sync>>,
    headers: Vec<(HeaderName, HeaderValue)>,
    identity: Option<Arc<Identity>>,
    expiry: Option<(SystemTime, CloseCode)>,
}

impl Grant {
    /// Lets the request in, and gives nothing else.
    pub fn new() -> Self {
        Self::default()
    }

    /// Keeps this value for as long as the session lives, and drops it then: a permit of a
    /// semaphore, a counter that counts down when it is dropped.
    #[must_use]
    pub fn with_permit(mut self, permit: impl Send + Sync + 'static) -> Self {
        self.permit = Some(Box::new(permit));
        self
    }

    /// Sends this header to the upstream. The client's own lines of that name, and of names that a
    /// backend could take for it (`x_user` for `x-user`), are always taken out.
    ///
    /// Headers of the connection and of the handshake (`Connection`, `Upgrade`,
    /// `Sec-WebSocket-*`, …) belong to the gate: a grant that sets one has no effect on them.
    #[must_use]
    pub fn with_header(mut self, name: HeaderName, value: HeaderValue) -> Self {
        self.headers.push((name, value));
        self
    }

    /// Says who the client is. Of several grants with an identity the last one counts.
    #[must_use]
    pub fn with_identity(mut self, identity: Identity) -> Self {
        self.identity = Some(Arc::new(identity));
        self
    }

    /// Ends the session at this moment of the wall clock, with the close code 4401. Of several
    /// grants the earliest moment counts.
    #[must_use]
    pub fn expiring_at(self, moment: SystemTime) -> Self {
        self.expiring_at_with(moment, CloseCode::EXPIRED)
    }

    /// As [`Grant::expiring_at`], with this close code.
    #[must_use]
    pub fn expiring_at_with(mut self, moment: SystemTime, code: CloseCode) -> Self {
        self.expiry = Some((moment, code));
        self
    }

    pub(crate) fn headers(&self) -> &[(HeaderName, HeaderValue)] {
        &self.headers
    }

    pub(crate) fn identity(&self) -> Option<&Arc<Identity>> {
        self.identity.as_ref()
    }

    pub(crate) fn expiry(&self) -> Option<(SystemTime, CloseCode)> {
        self.expiry
    }
}

/// Header values may be secrets, and so may what a permit holds.
impl fmt::Debug for Grant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Grant")
            .field("has_permit", &self.permit.is_some())
            .field("headers", &self.headers.len())
            .field("identity", &self.identity)
            .field("expiry", &self.expiry)
            .finish()
    }
}
