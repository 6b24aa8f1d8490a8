//! The seam for observers of the embedder's.

use super::event::Event;

/// Sees what happens: a seam for the embedder's own log, counts or alarms.
///
/// [`Builder::observe`](crate::Builder::observe) adds one. It runs where the event happens, on the
/// task of a handshake or a session: it must not block.
///
/// ```
/// use wsgate::{Event, Observer};
///
/// struct Refusals;
///
/// impl Observer for Refusals {
///     fn on_event(&self, event: &Event) {
///         if let Event::Refused(refused) = event {
///             println!("{} from {:?}", refused.reason, refused.client);
///         }
///     }
/// }
/// ```
pub trait Observer: Send + Sync + 'static {
    /// Something has happened.
    fn on_event(&self, event: &Event);
}

/// A function is an observer.
impl<F: Fn(&Event) + Send + Sync + 'static> Observer for F {
    fn on_event(&self, event: &Event) {
        self(event);
    }
}
