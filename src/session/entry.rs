//! One session as others see it, and what they ask of it.

use std::future::poll_fn;
use std::net::IpAddr;
use std::sync::atomic::{AtomicU8, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::task::{Poll, Waker};
use std::time::{Duration, SystemTime};

use http::Version;
use tokio::time::Instant;

use super::expiry::Expiry;
use super::totals::{EntryCounts, TrafficCounters};
use crate::channels::{DeliveryCounts, Mailbox, Membership, Subscriber};
use crate::close::CloseReason;
use crate::config::Route;
use crate::observe::{PathParameters, SessionInfo};
use crate::request::Identity;
use crate::types::{ClientAddr, SessionContext, SessionId, SessionName};

/// What identifies a session.
#[derive(Debug)]
pub(crate) struct SessionMetadata {
    pub(crate) route: Arc<str>,
    pub(crate) client: IpAddr,
    /// The socket's peer: the client, or the nearest proxy.
    pub(crate) peer: ClientAddr,
    /// As [`SessionInfo`] has it.
    pub(crate) tls: Option<&'static str>,
    /// Of the client's handshake.
    pub(crate) http_version: Version,
    pub(crate) path_parameters: PathParameters,
    pub(crate) identity: Option<Arc<Identity>>,
    pub(crate) context: Option<SessionContext>,
    pub(crate) upstream: Arc<str>,
    pub(crate) server: Arc<str>,
    pub(crate) mail: MailSettings,
}

#[cfg(test)]
impl SessionMetadata {
    /// A session of a client on this machine.
    pub(crate) fn for_tests(route: &str, upstream: &str, server: &str) -> Self {
        Self {
            route: route.into(),
            client: IpAddr::V4(std::net::Ipv4Addr::LOCALHOST),
            peer: ClientAddr::Unix,
            tls: None,
            http_version: Version::HTTP_11,
            path_parameters: PathParameters::default(),
            identity: None,
            context: None,
            upstream: upstream.into(),
            server: server.into(),
            mail: MailSettings {
                route: Arc::new(Route::for_tests(route, "/*")),
                counts: Arc::default(),
            },
        }
    }
}

/// What the mailbox of a session is made with, if it ever needs one.
#[derive(Clone, Debug)]
pub(crate) struct MailSettings {
    pub(crate) route: Arc<Route>,
    pub(crate) counts: Arc<DeliveryCounts>,
}

/// One session in the registry.
#[derive(Debug)]
pub(crate) struct SessionEntry {
    pub(crate) id: SessionId,
    pub(crate) name: SessionName,
    pub(crate) metadata: SessionMetadata,
    pub(crate) opened: Instant,
    /// The same moment for a calendar.
    pub(crate) opened_at: SystemTime,
    pub(crate) traffic: TrafficCounters,
    /// The registry changes it, which counts with it.
    pub(crate) expiry: Expiry,
    close_request: Mutex<CloseRequest>,
    /// What the session has to look at, in bits: see [`Attention`].
    attention: AtomicU8,
    /// Made when something is first published to the session, or when it joins a channel.
    membership: OnceLock<Membership>,
}

/// A request from outside to close the session, and how to wake the session for it.
#[derive(Debug, Default)]
struct CloseRequest {
    reason: Option<CloseReason>,
    /// It stays here when it is used: one request may follow another.
    waker: Option<Waker>,
}

/// What a session has to look at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Attention(u8);

impl Attention {
    /// A request to close, or another expiry.
    const REQUEST: Self = Self(1);
    /// Publications in the mailbox.
    const MAIL: Self = Self(2);

    pub(super) fn has_request(self) -> bool {
        self.0 & Self::REQUEST.0 != 0
    }

    pub(super) fn has_mail(self) -> bool {
        self.0 & Self::MAIL.0 != 0
    }
}

impl SessionEntry {
    /// A session that is opened now.
    pub(super) fn new(name: SessionName, metadata: SessionMetadata, expiry: Expiry) -> Self {
        Self {
            id: name.id(),
            name,
            metadata,
            opened: Instant::now(),
            opened_at: SystemTime::now(),
            traffic: TrafficCounters::default(),
            expiry,
            close_request: Mutex::default(),
            attention: AtomicU8::new(0),
            membership: OnceLock::new(),
        }
    }

    /// Asks the session to close. The first request stands, except that [`CloseReason::Cut`] replaces
    /// any.
    pub(crate) fn request_close(&self, reason: CloseReason) {
        let mut request = self.close_request();
        if request.reason.is_none() || reason == CloseReason::Cut {
            request.reason = Some(reason);
            drop(request);
            self.request_attention();
        }
    }

    /// Asks the session to look at its expiry and at the wall clock.
    pub(super) fn request_attention(&self) {
        self.attract(Attention::REQUEST);
    }

    fn attract(&self, attention: Attention) {
        self.attention.fetch_or(attention.0, Ordering::Release);
        let waker = self.close_request().waker.clone();
        if let Some(waker) = waker {
            waker.wake();
        }
    }

    /// What has come since the last call; costs a load where nothing has.
    pub(super) fn take_attention(&self) -> Option<Attention> {
        if self.attention.load(Ordering::Relaxed) == 0 {
            return None;
        }
        Some(Attention(self.attention.swap(0, Ordering::Acquire)))
    }

    /// The request to close, if there is one.
    pub(super) fn close_requested(&self) -> Option<CloseReason> {
        self.close_request().reason.clone()
    }

    /// The session's mailbox, if it has one.
    pub(super) fn mail(&self) -> Option<&Arc<Mailbox>> {
        self.channels().map(Membership::mailbox)
    }

    /// The channels that the session is in, if it has ever had a mailbox.
    pub(crate) fn channels(&self) -> Option<&Membership> {
        self.membership.get()
    }

    /// Ends when the session is to be over at once; for the time before the session itself listens.
    pub(super) async fn cut_requested(&self) {
        poll_fn(|cx| {
            let mut request = self.close_request();
            request.waker = Some(cx.waker().clone());
            match request.reason == Some(CloseReason::Cut) {
                true => Poll::Ready(()),
                false => Poll::Pending,
            }
        })
        .await;
    }

    /// Sets the waker for a request; to be called before the first look for one.
    pub(super) fn set_waker(&self, waker: &Waker) {
        self.close_request().waker = Some(waker.clone());
    }

    /// What the session adds to the totals.
    pub(super) fn counts(&self) -> EntryCounts<'_> {
        EntryCounts {
            route: &self.metadata.route,
            upstream: &self.metadata.upstream,
            server: &self.metadata.server,
            moved: self.traffic.load(),
        }
    }

    pub(crate) fn age(&self) -> Duration {
        self.opened.elapsed()
    }

    /// The session as it is now.
    pub(crate) fn info(&self) -> SessionInfo {
        let moved = self.traffic.load();
        let age = self.age();
        let metadata = &self.metadata;
        SessionInfo {
            id: self.id,
            name: self.name,
            route: Arc::clone(&metadata.route),
            path_parameters: metadata.path_parameters.clone(),
            client: metadata.client,
            peer: metadata.peer,
            tls: metadata.tls,
            http_version: metadata.http_version,
            identity: metadata.identity.clone(),
            context: metadata.context.clone(),
            upstream: Arc::clone(&metadata.upstream),
            server: Arc::clone(&metadata.server),
            opened: self.opened_at,
            expires: self.expiry.moment(),
            age,
            idle: self.idle_at(age),
            messages_from_client: moved.messages_from_client,
            bytes_from_client: moved.bytes_from_client,
            messages_from_upstream: moved.messages_from_upstream,
            bytes_from_upstream: moved.bytes_from_upstream,
        }
    }

    /// For how long no data frame has passed, in either direction; up to two seconds too much.
    pub(crate) fn idle_at(&self, age: Duration) -> Duration {
        let last_data = self.traffic.last_data.load(Ordering::Relaxed);
        age.saturating_sub(Duration::from_secs(last_data))
    }

    fn close_request(&self) -> MutexGuard<'_, CloseRequest> {
        self.close_request
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}

impl SessionEntry {
    /// The session's mailbox, and the channels that it is in. Made here, if it has not been needed before.
    pub(crate) fn membership(&self) -> &Membership {
        self.membership.get_or_init(|| {
            let MailSettings { route, counts } = &self.metadata.mail;
            let rules = &route.channels;
            let mailbox = Mailbox::new(rules.queue, rules.on_slow, Arc::clone(counts));
            Membership::new(mailbox)
        })
    }
}

impl Subscriber for SessionEntry {
    fn name(&self) -> SessionName {
        self.name
    }

    fn mailbox(&self) -> &Mailbox {
        self.membership().mailbox()
    }

    fn wake(&self) {
        self.attract(Attention::MAIL);
    }

    fn close_slow(&self) {
        self.request_close(CloseReason::ChannelSlow);
    }
}
