//! A session as its channels see it.

use std::fmt;

use super::encoded::Delivery;
use super::mailbox::{Mailbox, Put};
use crate::types::SessionName;

/// Gets publications.
pub(crate) trait Subscriber: fmt::Debug + Send + Sync {
    fn name(&self) -> SessionName;

    /// What waits for it.
    fn mailbox(&self) -> &Mailbox;

    /// Something waits in the mailbox.
    fn wake(&self);

    /// Its mailbox is full, and the settings end the session for that.
    fn close_slow(&self);
}

/// Puts a publication into the mailbox; false where it is not to be had there any more.
pub(super) fn deliver(subscriber: &dyn Subscriber, delivery: &Delivery) -> bool {
    match subscriber.mailbox().put(delivery) {
        Put::First => {
            subscriber.wake();
            true
        }
        Put::Behind => true,
        Put::Overflowed => {
            subscriber.close_slow();
            false
        }
        Put::Closed => false,
    }
}
