//! One-time tickets: a browser shows one in the URL of its WebSocket, where it can show nothing else.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use data_encoding::BASE64URL_NOPAD;
use tokio::time::Instant;

use super::admitted::Admitted;
use super::digest::{Digest, digest};
use super::not_issued::NotIssued;
use crate::shared::Shared;

/// The tickets that were issued and not used; clones share them. Where gates share an engine, that has them; elsewhere
/// they live as long as the gate does, so that a reload forgets none.
#[derive(Clone)]
pub(super) struct Tickets {
    own: Arc<Mutex<HashMap<Digest, Ticket>>>,
    shared: Shared,
}

/// The engine that has the tickets does not answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Unavailable;

/// What a ticket stands for.
struct Ticket {
    admitted: Admitted,
    route: Arc<str>,
    usable_until: Instant,
}

/// Tickets that wait to be used. Each is a few hundred bytes, and gone within minutes.
const MOST: usize = 100_000;

/// The bytes of a ticket: nobody guesses one (RFC 6750 §5.2).
const LENGTH: usize = 32;

/// And the characters of one.
const CHARACTERS: usize = 43;

impl Tickets {
    pub(super) fn new(shared: &Shared) -> Self {
        Self {
            own: Arc::default(),
            shared: shared.clone(),
        }
    }

    /// Makes a ticket for one handshake on this route.
    ///
    /// # Errors
    /// [`NotIssued`] where too many were issued and not used, or the engine does not take it.
    pub(super) async fn issue(
        &self,
        route: &Arc<str>,
        admitted: Admitted,
        lifetime: Duration,
    ) -> Result<String, NotIssued> {
        let secret: [u8; LENGTH] = rand::random();
        let text = BASE64URL_NOPAD.encode(&secret);
        match self.shared.is_used() {
            true => {
                let record = admitted.to_record();
                let digest = shared_digest(&text, route);
                let kept = self.shared.keep_ticket(&digest, &record, lifetime);
                kept.await.map_err(|_no_answer| NotIssued::Unavailable)?;
            }
            false => self.keep(&text, Arc::clone(route), admitted, lifetime)?,
        }
        Ok(text)
    }

    fn keep(
        &self,
        text: &str,
        route: Arc<str>,
        admitted: Admitted,
        lifetime: Duration,
    ) -> Result<(), NotIssued> {
        let now = Instant::now();
        let mut tickets = self.tickets();
        if tickets.len() >= MOST {
            tickets.retain(|_, ticket| ticket.usable_until > now);
        }
        if tickets.len() >= MOST {
            return Err(NotIssued::TooMany);
        }
        let ticket = Ticket {
            admitted,
            route,
            usable_until: now + lifetime,
        };
        tickets.insert(digest(text.as_bytes()), ticket);
        Ok(())
    }

    /// Uses a ticket, which is gone then. One for another route stays.
    ///
    /// # Errors
    /// [`Unavailable`] where nobody knows: the engine does not answer.
    pub(super) async fn take(
        &self,
        text: &str,
        route: &str,
    ) -> Result<Option<Admitted>, Unavailable> {
        // One of this gate's own is from before there was an engine.
        if let Some(admitted) = self.take_own(text, route) {
            return Ok(Some(admitted));
        }
        if !self.shared.is_used() || !looks_like_ticket(text) {
            return Ok(None);
        }
        let record = self.shared.take_ticket(&shared_digest(text, route)).await;
        let record = record.map_err(|_no_answer| Unavailable)?;
        Ok(record.as_deref().and_then(Admitted::from_record))
    }

    fn take_own(&self, text: &str, route: &str) -> Option<Admitted> {
        let digest = digest(text.as_bytes());
        let mut tickets = self.tickets();
        let is_for_route = tickets
            .get(&digest)
            .is_some_and(|ticket| *ticket.route == *route);
        let ticket = is_for_route.then(|| tickets.remove(&digest)).flatten()?;
        (ticket.usable_until > Instant::now()).then_some(ticket.admitted)
    }

    /// How many wait in this process; those whose time is over are among them for a while.
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
        self.own.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What the engine knows a ticket by: it is good for this route alone, and cannot be made of what the engine has.
fn shared_digest(text: &str, route: &str) -> String {
    let digest = digest(&[text.as_bytes(), b" ", route.as_bytes()].concat());
    BASE64URL_NOPAD.encode(&digest)
}

/// No other credential costs a question to the engine.
fn looks_like_ticket(text: &str) -> bool {
    text.len() == CHARACTERS && BASE64URL_NOPAD.decode_len(text.len()) == Ok(LENGTH)
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
    use futures_util::FutureExt;
    use tokio::time::advance;

    use super::*;
    use crate::config::Config;
    use crate::request::Identity;
    use crate::types::NodeId;

    const LIFETIME: Duration = Duration::from_secs(30);

    fn tickets() -> Tickets {
        let config = "[upstream.a]\nservers = [\"ws://127.0.0.1:1\"]\n\
                      [[route]]\nname = \"chat\"\npath = \"/\"\nupstream = \"a\"\n";
        let config = Config::from_toml("test.toml", config).unwrap();
        Tickets::new(&Shared::new(NodeId::random(), &config))
    }

    fn issue(tickets: &Tickets, route: &str) -> String {
        let admitted = Admitted {
            identity: Identity::new("alice"),
            session_expires: None,
        };
        let route = route.into();
        let issued = tickets.issue(&route, admitted, LIFETIME);
        issued.now_or_never().unwrap().unwrap()
    }

    fn take(tickets: &Tickets, text: &str, route: &str) -> Option<Admitted> {
        tickets.take(text, route).now_or_never().unwrap().unwrap()
    }

    #[tokio::test(start_paused = true)]
    async fn a_ticket_is_used_once_on_its_route_and_in_its_time() {
        let tickets = tickets();
        let first = issue(&tickets, "chat");
        let second = issue(&tickets, "chat");
        assert_ne!(first, second);
        assert!(take(&tickets, &first, "mail").is_none());
        let admitted = take(&tickets, &first, "chat").unwrap();
        assert_eq!(admitted.identity.subject(), "alice");
        assert!(take(&tickets, &first, "chat").is_none());
        advance(LIFETIME).await;
        assert!(take(&tickets, &second, "chat").is_none());
        assert!(!format!("{tickets:?}").contains(&first));
    }

    #[tokio::test(start_paused = true)]
    async fn tickets_that_nobody_uses_are_forgotten() {
        let tickets = tickets();
        for _ in 0..1000 {
            issue(&tickets, "chat");
        }
        advance(LIFETIME / 2).await;
        let last = issue(&tickets, "chat");
        advance(LIFETIME / 2).await;
        tickets.sweep();
        assert_eq!(tickets.tickets().len(), 1);
        assert!(take(&tickets, &last, "chat").is_some());
    }

    #[test]
    fn a_hundred_clients_with_one_ticket_are_one_session() {
        let tickets = tickets();
        let ticket = issue(&tickets, "chat");
        let taken: usize = std::thread::scope(|scope| {
            let take = || usize::from(take(&tickets, &ticket, "chat").is_some());
            let threads: Vec<_> = (0..100).map(|_| scope.spawn(take)).collect();
            threads
                .into_iter()
                .map(|thread| thread.join().unwrap())
                .sum()
        });
        assert_eq!(taken, 1);
    }
}
