//! One-time tickets: a browser shows one in the URL of its WebSocket, where it can show nothing else.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};

use data_encoding::BASE64URL_NOPAD;
use tokio::time::Instant;

use super::digest::{Digest, digest};
use crate::request::Identity;

/// The tickets that were issued and not used; clones share them. They live as long as the gate does, so that a reload
/// forgets none.
#[derive(Clone, Default)]
pub(super) struct Tickets(Arc<Mutex<HashMap<Digest, Ticket>>>);

/// What a ticket stands for.
pub(super) struct Ticket {
    pub(super) identity: Identity,
    /// When the right to the session ends.
    pub(super) session_expires: Option<SystemTime>,
    route: Arc<str>,
    usable_until: Instant,
}

/// Tickets that wait to be used. Each is a few hundred bytes, and gone within minutes.
const MOST: usize = 100_000;

/// The bytes of a ticket: nobody guesses one (RFC 6750 §5.2).
const LENGTH: usize = 32;

impl Tickets {
    /// Makes a ticket for one handshake on this route; `None` where too many were issued and not used.
    pub(super) fn issue(
        &self,
        route: Arc<str>,
        identity: Identity,
        session_expires: Option<SystemTime>,
        lifetime: Duration,
    ) -> Option<String> {
        let now = Instant::now();
        let secret: [u8; LENGTH] = rand::random();
        let text = BASE64URL_NOPAD.encode(&secret);
        let mut tickets = self.tickets();
        if tickets.len() >= MOST {
            tickets.retain(|_, ticket| ticket.usable_until > now);
        }
        if tickets.len() >= MOST {
            return None;
        }
        let ticket = Ticket {
            identity,
            session_expires,
            route,
            usable_until: now + lifetime,
        };
        tickets.insert(digest(text.as_bytes()), ticket);
        Some(text)
    }

    /// Uses a ticket, which is gone then. One for another route stays.
    pub(super) fn take(&self, text: &str, route: &str) -> Option<Ticket> {
        let digest = digest(text.as_bytes());
        let mut tickets = self.tickets();
        let is_for_route = tickets
            .get(&digest)
            .is_some_and(|ticket| *ticket.route == *route);
        let ticket = is_for_route.then(|| tickets.remove(&digest)).flatten()?;
        (ticket.usable_until > Instant::now()).then_some(ticket)
    }

    /// How many wait; those whose time is over are among them for a while.
    pub(super) fn len(&self) -> usize {
        self.tickets().len()
    }

    /// Forgets the tickets whose time is over.
    pub(super) fn sweep(&self) {
        let now = Instant::now();
        let mut tickets = self.tickets();
        tickets.retain(|_, ticket| ticket.usable_until > now);
        if tickets.capacity() > 4 * tickets.len().max(16) {
            tickets.shrink_to_fit();
        }
    }

    fn tickets(&self) -> MutexGuard<'_, HashMap<Digest, Ticket>> {
        // The map is whole at every moment.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// No ticket and no identity is shown.
impl fmt::Debug for Tickets {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Tickets")
            .field(&self.tickets().len())
            .finish()
    }
}

#[cfg(test)]
mod tests {
    use tokio::time::advance;

    use super::*;

    const LIFETIME: Duration = Duration::from_secs(30);

    fn issue(tickets: &Tickets, route: &str) -> String {
        let identity = Identity::new("alice");
        tickets
            .issue(route.into(), identity, None, LIFETIME)
            .unwrap()
    }

    #[tokio::test(start_paused = true)]
    async fn a_ticket_is_used_once_on_its_route_and_in_its_time() {
        let tickets = Tickets::default();
        let first = issue(&tickets, "chat");
        let second = issue(&tickets, "chat");
        assert_ne!(first, second);
        assert!(tickets.take(&first, "mail").is_none());
        let ticket = tickets.take(&first, "chat").unwrap();
        assert_eq!(ticket.identity.subject(), "alice");
        assert!(tickets.take(&first, "chat").is_none());
        advance(LIFETIME).await;
        assert!(tickets.take(&second, "chat").is_none());
        assert!(!format!("{tickets:?}").contains(&first));
    }

    #[tokio::test(start_paused = true)]
    async fn tickets_that_nobody_uses_are_forgotten() {
        let tickets = Tickets::default();
        for _ in 0..1000 {
            issue(&tickets, "chat");
        }
        advance(LIFETIME / 2).await;
        let last = issue(&tickets, "chat");
        advance(LIFETIME / 2).await;
        tickets.sweep();
        assert_eq!(tickets.tickets().len(), 1);
        assert!(tickets.take(&last, "chat").is_some());
    }

    #[test]
    fn a_hundred_clients_with_one_ticket_are_one_session() {
        let tickets = Tickets::default();
        let ticket = issue(&tickets, "chat");
        let taken: usize = std::thread::scope(|scope| {
            let take = || usize::from(tickets.take(&ticket, "chat").is_some());
            let threads: Vec<_> = (0..100).map(|_| scope.spawn(take)).collect();
            threads
                .into_iter()
                .map(|thread| thread.join().unwrap())
                .sum()
        });
        assert_eq!(taken, 1);
    }
}
