//! What is known of the keys of an issuer.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use crate::auth::key_source_info::KeySourceInfo;
use crate::jwt::KeySet;

/// There are no keys that may be used: none were fetched, or the last success was too long ago.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("there are no keys of the issuer")]
pub(crate) struct KeysUnavailable;

/// What the task of a source has found out, and what others wish of it.
#[derive(Debug)]
pub(super) struct Status {
    held: Option<Held>,
    /// A fetch is under way, or about to begin.
    is_fetching: bool,
    is_wished: bool,
    /// When the last fetch began that somebody had wished.
    last_wished: Option<Instant>,
    succeeded: u64,
    failed: u64,
}

#[derive(Debug)]
struct Held {
    keys: Arc<KeySet>,
    fetched: Instant,
}

/// What becomes of the wish for newer keys.
#[derive(Debug)]
pub(super) enum Wish {
    /// They are there.
    Fulfilled(Arc<KeySet>),
    /// This fetch may bring them.
    Awaited(u64),
    /// They are fetched when the pause between such fetches is over.
    Later,
}

/// Keys are used for so long after they were fetched.
const LONGEST_USE: Duration = Duration::from_secs(24 * 60 * 60);

/// The pause between two fetches that somebody has wished: tokens of strangers cause them.
pub(super) const PAUSE: Duration = Duration::from_secs(30);

impl Status {
    /// The first fetch is about to begin.
    pub(super) fn new() -> Self {
        Self {
            held: None,
            is_fetching: true,
            is_wished: false,
            last_wished: None,
            succeeded: 0,
            failed: 0,
        }
    }

    pub(super) fn keys(&self) -> Result<Arc<KeySet>, KeysUnavailable> {
        let usable = self.usable().ok_or(KeysUnavailable)?;
        Ok(Arc::clone(&usable.keys))
    }

    fn usable(&self) -> Option<&Held> {
        let held = self.held.as_ref();
        held.filter(|held| held.fetched.elapsed() <= LONGEST_USE)
    }

    /// The fetches that have ended.
    pub(super) fn finished(&self) -> u64 {
        self.succeeded + self.failed
    }

    /// The number of the fetch that is under way.
    pub(super) fn under_way(&self) -> Option<u64> {
        self.is_fetching.then(|| self.finished() + 1)
    }

    /// Takes the wish of somebody who has seen these keys.
    pub(super) fn wish(&mut self, seen: &Arc<KeySet>) -> Wish {
        if let Some(held) = self.usable()
            && !Arc::ptr_eq(&held.keys, seen)
        {
            return Wish::Fulfilled(Arc::clone(&held.keys));
        }
        if let Some(fetch) = self.under_way() {
            return Wish::Awaited(fetch);
        }
        self.is_wished = true;
        match self.next_wished() <= Instant::now() {
            true => Wish::Awaited(self.finished() + 1),
            false => Wish::Later,
        }
    }

    /// When a fetch is due that somebody has wished.
    pub(super) fn wished_at(&self) -> Option<Instant> {
        self.is_wished.then(|| self.next_wished())
    }

    /// The next fetch that somebody wishes is not made before.
    fn next_wished(&self) -> Instant {
        let last = self.last_wished.map(|last| last + PAUSE);
        last.unwrap_or_else(Instant::now)
    }

    /// A fetch begins; whoever has wished one gets it.
    pub(super) fn begin(&mut self, is_for_wish: bool) {
        self.is_fetching = true;
        self.is_wished = false;
        if is_for_wish {
            self.last_wished = Some(Instant::now());
        }
    }

    /// The fetch has brought these keys. If they are those of before, nobody sees a difference.
    pub(super) fn succeed(&mut self, keys: KeySet) {
        self.is_fetching = false;
        self.succeeded += 1;
        let fetched = Instant::now();
        match &mut self.held {
            Some(held) if *held.keys == keys => held.fetched = fetched,
            held => {
                let keys = Arc::new(keys);
                *held = Some(Held { keys, fetched });
            }
        }
    }

    /// The fetch has brought nothing: what is there stays in use.
    pub(super) fn fail(&mut self) {
        self.is_fetching = false;
        self.failed += 1;
    }

    pub(super) fn info(&self) -> KeySourceInfo {
        let usable = self.usable();
        KeySourceInfo {
            succeeded: self.succeeded,
            failed: self.failed,
            keys: usable.map_or(0, |held| held.keys.len()),
            age: usable.map(|held| held.fetched.elapsed()),
        }
    }
}
