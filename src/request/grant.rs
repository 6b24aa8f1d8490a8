//! What a policy gives to a request that it accepts.

use std::any::Any;
use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::SystemTime;

use http::{HeaderName, HeaderValue};

use super::identity::Identity;
use crate::close::{CloseCode, CloseReason};

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
    permit: Option<Permit>,
    /// A name without a value only takes the client's lines out.
    headers: Vec<(HeaderName, Option<HeaderValue>)>,
    watch: Option<Watch>,
    identity: Option<Arc<Identity>>,
    expiry: Option<(SystemTime, CloseCode)>,
}

/// What is dropped when a session ends.
pub(crate) type Permit = Box<dyn Any + Send + Sync>;

/// Begins to watch a session.
pub(crate) type Watch = Box<dyn FnOnce() -> Watching + Send + Sync>;

/// Ends when a session is to be closed, with the reason.
pub(crate) type Watching = Pin<Box<dyn Future<Output = CloseReason> + Send>>;

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
    /// A grant may give one name several lines. They take the place of what the route and earlier grants send
    /// under it.
    ///
    /// Headers of the connection and of the handshake (`Connection`, `Upgrade`,
    /// `Sec-WebSocket-*`, …) belong to the gate: a grant that sets one has no effect on them.
    #[must_use]
    pub fn with_header(mut self, name: HeaderName, value: HeaderValue) -> Self {
        self.headers.push((name, Some(value)));
        self
    }

    /// Takes the client's own lines of this name out, and of names that a backend could take for it, as
    /// [`Grant::with_header`] does, and sends none.
    #[must_use]
    pub fn without_header(mut self, name: HeaderName) -> Self {
        self.headers.push((name, None));
        self
    }

    /// Closes the session when this says so, and for its reason. It is called when the session begins, and ends with it.
    #[must_use]
    #[allow(dead_code, reason = "only authentication uses it")]
    pub(crate) fn watched_by(mut self, watch: Watch) -> Self {
        self.watch = Some(watch);
        self
    }

    /// What of it a session holds to its end: its permit, and what `begin` makes of its watch. All else is for the
    /// request.
    pub(crate) fn into_permit<T: Send + Sync + 'static>(
        self,
        begin: impl FnOnce(Watching) -> T,
    ) -> Option<Permit> {
        match (self.permit, self.watch) {
            (permit, None) => permit,
            (permit, Some(watch)) => Some(Box::new((permit, begin(watch())))),
        }
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

    pub(crate) fn headers(&self) -> &[(HeaderName, Option<HeaderValue>)] {
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
            .field("is_watched", &self.watch.is_some())
            .field("identity", &self.identity)
            .field("expiry", &self.expiry)
            .finish()
    }
}

#[cfg(test)]
mod tests {
    use std::future::ready;

    use super::*;

    #[test]
    fn a_session_holds_the_permit_and_what_watches_it_and_nothing_else() {
        let (permit, kept) = (Arc::new(()), Arc::new(()));
        let grant = Grant::new()
            .with_permit(Arc::clone(&permit))
            .watched_by(Box::new(|| Box::pin(ready(CloseReason::AccessDenied))));
        let held = grant.into_permit(|_watching| Arc::clone(&kept));
        let count = || (Arc::strong_count(&permit), Arc::strong_count(&kept));
        assert_eq!(count(), (2, 2));
        drop(held);
        assert_eq!(count(), (1, 1));
        let grant = Grant::new().with_identity(Identity::new("alice"));
        assert!(grant.into_permit(|_watching| ()).is_none());
    }
}
