//! The keys of one issuer, which a server has and renews.
//!
//! ```text
//! KeySource (a handle) ─► Status ◄─ Keeper (one task): is it due? ─► fetch ─► new keys, or those of before
//! ```

mod fetch;
mod keeper;
mod schedule;
mod status;

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use http::Uri;
use tokio::runtime::Handle;
use tokio::sync::{Semaphore, watch};
use tokio::time::timeout;
use tokio_util::task::{AbortOnDropHandle, TaskTracker};

use self::fetch::{Fetch, HttpFetch};
use self::keeper::Keeper;
use self::status::{Status, Wish};
use super::key_source_info::KeySourceInfo;
use super::shown_url::shown;
use crate::jwt::KeySet;
use crate::tls::ClientTls;

pub(crate) use status::KeysUnavailable;

/// The keys at one URL. They are fetched in the background and kept fresh, from [`start`](Self::start) or the first
/// use on.
///
/// A clone is the same source, and the background task ends with the last of them. So a reload keeps the keys of a URL
/// if the new settings get a clone.
#[derive(Clone)]
pub(crate) struct KeySource(Arc<Inner>);

struct Inner {
    shown: Arc<str>,
    fetch: Arc<dyn Fetch>,
    status: Arc<watch::Sender<Status>>,
    task: Mutex<Option<AbortOnDropHandle<()>>>,
    /// Places for those who wait for a fetch.
    waiting: Semaphore,
}

/// Each who waits for a fetch has a place of a session, and anybody can make up a token that waits.
const WAITING: usize = 1000;

impl KeySource {
    /// The keys at this URL: https://, or http:// to this machine, which needs no TLS. Nothing is fetched yet.
    pub(crate) fn new(url: Uri, tls: Option<ClientTls>) -> Self {
        let shown = shown(&url);
        Self::with(&shown, Arc::new(HttpFetch::new(url, tls)))
    }

    fn with(shown: &str, fetch: Arc<dyn Fetch>) -> Self {
        Self(Arc::new(Inner {
            shown: shown.into(),
            fetch,
            status: Arc::new(watch::Sender::new(Status::new())),
            task: Mutex::new(None),
            waiting: Semaphore::new(WAITING),
        }))
    }

    /// Begins to fetch, if that has not begun and there is a runtime.
    pub(crate) fn start(&self) {
        if Handle::try_current().is_err() {
            return;
        }
        let task = self.0.task.lock();
        let mut task = task.unwrap_or_else(PoisonError::into_inner);
        // The one of a runtime that has ended is finished.
        if task.as_ref().is_none_or(AbortOnDropHandle::is_finished) {
            let keeper = Keeper::new(&self.0.shown, &self.0.fetch, &self.0.status);
            let running = TaskTracker::new().spawn(keeper.keep());
            *task = Some(AbortOnDropHandle::new(running));
        }
    }

    /// The keys of this moment.
    ///
    /// # Errors
    /// [`KeysUnavailable`] if none were fetched, or the last success was too long ago.
    pub(crate) fn current(&self) -> Result<Arc<KeySet>, KeysUnavailable> {
        self.0.status.borrow().keys()
    }

    /// The keys of this moment; without any, those of the fetch that is under way.
    ///
    /// # Errors
    /// [`KeysUnavailable`] if that brings none, no fetch is under way, or too many wait for it.
    pub(crate) async fn keys(&self) -> Result<Arc<KeySet>, KeysUnavailable> {
        self.start();
        let under_way = {
            let status = self.0.status.borrow();
            match status.keys() {
                Ok(keys) => return Ok(keys),
                Err(unavailable) => status.under_way().ok_or(unavailable)?,
            }
        };
        self.finished(under_way).await?;
        self.current()
    }

    /// Newer keys than those that were `seen`, which do not verify a token: an issuer may have changed its keys.
    ///
    /// Such wishes lead to one fetch in 30 seconds at most. The wish that causes the fetch, and those that come while
    /// it is under way, wait for it, 5 seconds at most. Others get `None` at once, and the fetch is made when its time
    /// has come.
    ///
    /// # Errors
    /// [`KeysUnavailable`] if there are none any more, or too many wait for the fetch.
    pub(crate) async fn renewed_after(
        &self,
        seen: &Arc<KeySet>,
    ) -> Result<Option<Arc<KeySet>>, KeysUnavailable> {
        self.start();
        let mut wish = Wish::Later;
        self.0.status.send_if_modified(|status| {
            let before = status.wished_at();
            wish = status.wish(seen);
            // The task need not hear the same wish twice.
            before.is_none() && status.wished_at().is_some()
        });
        match wish {
            Wish::Fulfilled(keys) => return Ok(Some(keys)),
            Wish::Later => return Ok(None),
            Wish::Awaited(fetch) => self.finished(fetch).await?,
        }
        let newest = self.current()?;
        Ok((!Arc::ptr_eq(&newest, seen)).then_some(newest))
    }

    /// For metrics.
    pub(crate) fn info(&self) -> KeySourceInfo {
        self.0.status.borrow().info()
    }

    /// Waits until this fetch has ended.
    async fn finished(&self, fetch: u64) -> Result<(), KeysUnavailable> {
        let _place = self.0.waiting.try_acquire().map_err(|_| KeysUnavailable)?;
        let mut status = self.0.status.subscribe();
        let ended = status.wait_for(|status| status.finished() >= fetch);
        // A fetch has this bound itself; the task may be gone.
        let _late = timeout(fetch::TIMEOUT, ended).await;
        Ok(())
    }
}

impl fmt::Debug for KeySource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("KeySource").field(&self.0.shown).finish()
    }
}

#[cfg(test)]
mod tests;
