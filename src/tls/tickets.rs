//! The keys of session tickets (RFC 5077, RFC 8446 §4.6.1): one set for all workers and settings of a process, and
//! for the process that takes its sockets over.

use std::fmt;
use std::io;
use std::sync::{PoisonError, RwLock};
use std::time::{Duration, Instant};

use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use aws_lc_rs::{error::Unspecified, rand};
use tokio_rustls::rustls::server::ProducesTickets;

/// The keys that session tickets are encrypted with. All acceptors that have the same ones resume the sessions of each
/// other.
pub struct Tickets {
    keys: RwLock<Keys>,
}

struct Keys {
    current: TicketKey,
    /// Opens the tickets of before.
    previous: Option<TicketKey>,
    /// When the current key came.
    since: Instant,
}

/// A key, and the name that its tickets begin with.
struct TicketKey {
    name: [u8; NAME],
    secret: [u8; SECRET],
    cipher: LessSafeKey,
}

const NAME: usize = 16;
const SECRET: usize = 32;

/// What another process gets of one key.
pub const KEY_LENGTH: usize = NAME + SECRET;

/// How long tickets are made with one key. They can be opened for as long again: an attacker with the keys of this moment
/// reads no session of TLS 1.2 that was resumed earlier.
const PERIOD: Duration = Duration::from_secs(6 * 60 * 60);

impl Tickets {
    /// A set of random keys.
    ///
    /// # Errors
    /// The system gives no random bytes.
    pub fn random() -> io::Result<Self> {
        Self::of(None)
    }

    /// A set that opens the tickets of another process, which gave the bytes of its current key. New tickets get a new
    /// key, so that no key lasts longer because processes take over in turn.
    ///
    /// # Errors
    /// The cipher takes no such key, or the system gives no random bytes.
    pub fn taken_over(bytes: &[u8; KEY_LENGTH]) -> io::Result<Self> {
        let (mut name, mut secret) = ([0; NAME], [0; SECRET]);
        name.copy_from_slice(&bytes[..NAME]);
        secret.copy_from_slice(&bytes[NAME..]);
        let key = TicketKey::new(name, secret).map_err(io::Error::other)?;
        Self::of(Some(key))
    }

    fn of(previous: Option<TicketKey>) -> io::Result<Self> {
        let current = TicketKey::random().map_err(io::Error::other)?;
        Ok(Self {
            keys: RwLock::new(Keys {
                current,
                previous,
                since: Instant::now(),
            }),
        })
    }

    /// The current key, for the process that takes over.
    pub fn current(&self) -> [u8; KEY_LENGTH] {
        let keys = self.keys.read().unwrap_or_else(PoisonError::into_inner);
        let mut bytes = [0; KEY_LENGTH];
        bytes[..NAME].copy_from_slice(&keys.current.name);
        bytes[NAME..].copy_from_slice(&keys.current.secret);
        bytes
    }

    fn encrypt_at(&self, now: Instant, plain: &[u8]) -> Option<Vec<u8>> {
        self.renew(now);
        let keys = self.keys.read().unwrap_or_else(PoisonError::into_inner);
        keys.current.encrypt(plain)
    }

    fn decrypt_at(&self, now: Instant, ticket: &[u8]) -> Option<Vec<u8>> {
        self.renew(now);
        let (name, sealed) = ticket.split_at_checked(NAME)?;
        let keys = self.keys.read().unwrap_or_else(PoisonError::into_inner);
        let mut all = [Some(&keys.current), keys.previous.as_ref()]
            .into_iter()
            .flatten();
        all.find(|key| key.name == name)?.decrypt(sealed)
    }

    /// Begins a new period if this one is over. Without random bytes the keys stay.
    fn renew(&self, now: Instant) {
        let age = |keys: &Keys| now.saturating_duration_since(keys.since);
        if age(&self.keys.read().unwrap_or_else(PoisonError::into_inner)) < PERIOD {
            return;
        }
        let Ok(next) = TicketKey::random() else {
            return;
        };
        let mut keys = self.keys.write().unwrap_or_else(PoisonError::into_inner);
        let passed = age(&keys);
        // Another thread may have been first.
        if passed >= PERIOD {
            let last = std::mem::replace(&mut keys.current, next);
            keys.previous = (passed < PERIOD * 2).then_some(last);
            keys.since = now;
        }
    }
}

impl TicketKey {
    fn new(name: [u8; NAME], secret: [u8; SECRET]) -> Result<Self, Unspecified> {
        let cipher = LessSafeKey::new(UnboundKey::new(&AES_256_GCM, &secret)?);
        Ok(Self {
            name,
            secret,
            cipher,
        })
    }

    fn random() -> Result<Self, Unspecified> {
        let (mut name, mut secret) = ([0; NAME], [0; SECRET]);
        rand::fill(&mut name)?;
        rand::fill(&mut secret)?;
        Self::new(name, secret)
    }

    /// The name, a random nonce, and what is sealed.
    fn encrypt(&self, plain: &[u8]) -> Option<Vec<u8>> {
        let mut nonce = [0; NONCE_LEN];
        rand::fill(&mut nonce).ok()?;
        let mut sealed = plain.to_vec();
        let (aad, sealing) = (Aad::from(self.name), Nonce::assume_unique_for_key(nonce));
        (self.cipher)
            .seal_in_place_append_tag(sealing, aad, &mut sealed)
            .ok()?;
        Some([&self.name[..], &nonce, &sealed].concat())
    }

    fn decrypt(&self, sealed: &[u8]) -> Option<Vec<u8>> {
        let (nonce, sealed) = sealed.split_at_checked(NONCE_LEN)?;
        let nonce = Nonce::try_assume_unique_for_key(nonce).ok()?;
        let mut sealed = sealed.to_vec();
        let plain = self
            .cipher
            .open_in_place(nonce, Aad::from(self.name), &mut sealed);
        plain.ok().map(|plain| plain.to_vec())
    }
}

impl ProducesTickets for Tickets {
    fn enabled(&self) -> bool {
        true
    }

    /// In seconds.
    fn lifetime(&self) -> u32 {
        u32::try_from(PERIOD.as_secs() * 2).unwrap_or(u32::MAX)
    }

    fn encrypt(&self, plain: &[u8]) -> Option<Vec<u8>> {
        self.encrypt_at(Instant::now(), plain)
    }

    fn decrypt(&self, ticket: &[u8]) -> Option<Vec<u8>> {
        self.decrypt_at(Instant::now(), ticket)
    }
}

/// The keys stay out.
impl fmt::Debug for Tickets {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Tickets")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_ticket_opens_for_two_periods_and_no_longer() {
        let tickets = Tickets::random().unwrap();
        let begin = Instant::now();
        let ticket = tickets.encrypt_at(begin, b"a session").unwrap();
        let at = |periods: u32| tickets.decrypt_at(begin + PERIOD * periods, &ticket);
        assert_eq!(at(0).as_deref(), Some(&b"a session"[..]));
        assert_eq!(at(1).as_deref(), Some(&b"a session"[..]));
        assert_eq!(at(2), None);
    }

    #[test]
    fn a_key_that_nobody_used_for_long_opens_nothing() {
        let tickets = Tickets::random().unwrap();
        let begin = Instant::now();
        let ticket = tickets.encrypt_at(begin, b"a session").unwrap();
        assert_eq!(tickets.decrypt_at(begin + PERIOD * 2, &ticket), None);
    }

    #[test]
    fn a_ticket_that_was_changed_opens_nothing() {
        let tickets = Tickets::random().unwrap();
        let ticket = tickets.encrypt(b"a session").unwrap();
        assert!(tickets.decrypt(&ticket).is_some());
        for at in 0..ticket.len() {
            let mut changed = ticket.clone();
            changed[at] ^= 1;
            assert_eq!(tickets.decrypt(&changed), None, "{at}");
            assert_eq!(tickets.decrypt(&ticket[..at]), None, "{at}");
        }
    }

    #[test]
    fn the_next_process_opens_the_tickets_of_this_one() {
        let tickets = Tickets::random().unwrap();
        let next = Tickets::taken_over(&tickets.current()).unwrap();
        let ticket = tickets.encrypt(b"a session").unwrap();
        assert_eq!(next.decrypt(&ticket).as_deref(), Some(&b"a session"[..]));
        let another = Tickets::random().unwrap();
        assert_eq!(another.decrypt(&ticket), None);
    }

    #[test]
    fn no_key_lasts_longer_because_processes_take_over_in_turn() {
        let tickets = Tickets::random().unwrap();
        let next = Tickets::taken_over(&tickets.current()).unwrap();
        assert_ne!(next.current(), tickets.current());
        let begin = Instant::now();
        let ticket = tickets.encrypt(b"a session").unwrap();
        assert_eq!(next.decrypt_at(begin + PERIOD * 2, &ticket), None);
    }
}
