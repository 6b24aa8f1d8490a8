//! A queue with a bound, whose items are taken all at once.

use std::sync::{Mutex, PoisonError};

use tokio::sync::Notify;

/// Items that wait for a task. They outlive it: another one may go on.
#[derive(Debug)]
pub(super) struct Backlog<T> {
    items: Mutex<Vec<T>>,
    bound: usize,
    arrived: Notify,
}

impl<T> Backlog<T> {
    pub(super) fn new(bound: usize) -> Self {
        Self {
            items: Mutex::default(),
            bound,
            arrived: Notify::new(),
        }
    }

    /// Adds an item; false if there is no room, and the item is dropped.
    pub(super) fn push(&self, item: T) -> bool {
        let mut items = self.items.lock().unwrap_or_else(PoisonError::into_inner);
        let has_room = items.len() < self.bound;
        if has_room {
            items.push(item);
        }
        drop(items);
        self.arrived.notify_one();
        has_room
    }

    /// Takes all that is there, once there is something.
    pub(super) async fn take(&self) -> Vec<T> {
        loop {
            let items = self.take_now();
            if !items.is_empty() {
                return items;
            }
            self.arrived.notified().await;
        }
    }

    /// Takes all that is there.
    pub(super) fn take_now(&self) -> Vec<T> {
        let mut items = self.items.lock().unwrap_or_else(PoisonError::into_inner);
        std::mem::take(&mut *items)
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt;

    use super::*;

    #[test]
    fn what_finds_no_room_is_dropped() {
        let backlog = Backlog::new(2);
        assert_eq!(backlog.take().now_or_never(), None);
        assert!(backlog.push(1) && backlog.push(2) && !backlog.push(3));
        assert_eq!(backlog.take().now_or_never(), Some(vec![1, 2]));
        assert!(backlog.push(4));
        assert_eq!(backlog.take_now(), [4]);
        assert_eq!(backlog.take().now_or_never(), None);
    }
}
