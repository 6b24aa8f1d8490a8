//! The seam for policies of the embedder's.

use std::pin::Pin;
use std::sync::Arc;

use crate::rejection::Rejection;
use crate::request::{Grant, Handshake};

/// Decides whether a request may come in: a policy of the embedder's, beside those of the settings.
///
/// It runs after the gate's own policies (address, origin, rate, authentication) and before the gate connects to the
/// upstream, for each opening handshake and for each plain request that a route forwards. It may
/// wait, for a database say. A policy that has not decided after ten seconds has refused with
/// [`Rejection::PolicyTimeout`].
///
/// [`Builder::policy`](crate::Builder::policy) adds one for every route, and
/// [`Builder::route_policy`](crate::Builder::route_policy) for one route.
///
/// ```
/// use wsgate::{Denial, Grant, Handshake, Identity, Policy, Rejection};
///
/// struct Tokens;
///
/// impl Policy for Tokens {
///     async fn check(&self, handshake: &Handshake) -> Result<Grant, Rejection> {
///         let token = handshake.headers().get("authorization");
///         match look_up(token.map(|token| token.as_bytes())).await {
///             Some(user) => Ok(Grant::new().with_identity(Identity::new(user))),
///             None => Err(Denial::unauthorized("token").into()),
///         }
///     }
/// }
/// # async fn look_up(token: Option<&[u8]>) -> Option<String> { None }
/// ```
pub trait Policy: Send + Sync + 'static {
    /// Lets a request in with what it gets, or refuses it.
    ///
    /// The future is dropped where the client hangs up meanwhile.
    ///
    /// # Errors
    /// The rejection that the client is answered with: a [`Denial`](crate::Denial) of the policy's
    /// own, or one of the gate's.
    fn check(&self, handshake: &Handshake)
    -> impl Future<Output = Result<Grant, Rejection>> + Send;
}

/// A function that decides at once is a policy.
impl<F> Policy for F
where
    F: Fn(&Handshake) -> Result<Grant, Rejection> + Send + Sync + 'static,
{
    fn check(
        &self,
        handshake: &Handshake,
    ) -> impl Future<Output = Result<Grant, Rejection>> + Send {
        std::future::ready(self(handshake))
    }
}

/// A policy whose type is forgotten, so that a list can hold it.
pub(crate) type BoxedPolicy = Arc<dyn ErasedPolicy>;

type Decision<'a> = Pin<Box<dyn Future<Output = Result<Grant, Rejection>> + Send + 'a>>;

pub(crate) trait ErasedPolicy: Send + Sync {
    fn check<'a>(&'a self, handshake: &'a Handshake) -> Decision<'a>;
}

impl<P: Policy> ErasedPolicy for P {
    fn check<'a>(&'a self, handshake: &'a Handshake) -> Decision<'a> {
        Box::pin(Policy::check(self, handshake))
    }
}
