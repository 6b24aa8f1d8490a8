//! The open listeners: opened and closed one by one while the process runs.

use std::io;
use std::os::fd::OwnedFd;
use std::sync::Weak;
use std::time::Duration;

use tokio::time::timeout;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::accept::{AcceptingSocket, Acceptor, Dispatch, Vacancy};
use super::address::BoundAddress;
use super::bind::{self, BindError, Listener};
use super::passed::PassedSockets;
use crate::config::{Listen, ListenAddress};
use crate::server::lifecycle::workers::Worker;

/// A listener that connections are accepted on.
#[derive(Debug)]
pub(crate) struct OpenListener {
    /// Its address in the settings.
    pub(crate) setting: ListenAddress,
    pub(crate) address: BoundAddress,
    only_v6: bool,
    tokens: ListenerTokens,
    socket: Weak<AcceptingSocket>,
    /// Closed with the socket.
    accepting: TaskTracker,
}

/// The listeners of the process: those for clients in the order of the settings, and those of the
/// interfaces.
#[derive(Debug, Default)]
pub(crate) struct Listeners {
    pub(crate) clients: Vec<OpenListener>,
    pub(crate) admin: Option<OpenListener>,
    pub(crate) publish: Option<OpenListener>,
    /// Sockets that are bound already, for listeners of their addresses.
    pub(crate) passed: PassedSockets,
    /// The next process accepts on the same sockets.
    pub(crate) handed_over: bool,
}

/// What ends a listener and the connections that it accepted.
#[derive(Clone, Debug)]
pub(crate) struct ListenerTokens {
    /// Cancelled to stop accepting.
    pub(crate) accepting: CancellationToken,
    /// Cancelled to end connections that are not sessions after their current request.
    pub(crate) closing: CancellationToken,
}

/// A listener that is bound and accepts nothing yet.
pub(crate) struct BoundListener {
    setting: ListenAddress,
    address: BoundAddress,
    only_v6: bool,
    acceptor: Acceptor,
}

/// Closing a socket takes no time, but its worker may be busy.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(5);

impl BoundListener {
    /// Binds the listeners of the settings that are not open yet, or none. Their accept loops run on this
    /// worker.
    pub(crate) fn bind_new(
        wanted: &[Listen],
        open: &[OpenListener],
        passed: &PassedSockets,
        worker: &Worker,
    ) -> Result<Vec<Self>, BindError> {
        let is_open = |setting: &ListenAddress| open.iter().any(|open| open.setting == *setting);
        let listeners = bind::bind(wanted, passed, |setting| !is_open(setting))?;
        let bound = listeners.into_iter();
        bound.map(|listener| Self::of(listener, worker)).collect()
    }

    /// Binds one address.
    pub(crate) fn bind(
        setting: &ListenAddress,
        passed: &PassedSockets,
        worker: &Worker,
    ) -> Result<Self, BindError> {
        Self::of(Listener::bind(setting, passed, false)?, worker)
    }

    fn of(listener: Listener, worker: &Worker) -> Result<Self, BindError> {
        let _entered = worker.runtime().enter();
        let (setting, address) = (listener.setting.clone(), listener.address.clone());
        let only_v6 = listener.only_v6;
        let acceptor =
            Acceptor::new(listener).map_err(|error| BindError::system(&address, error))?;
        Ok(Self {
            setting,
            address,
            only_v6,
            acceptor,
        })
    }

    /// Accepts when there is a vacancy.
    pub(crate) fn limited_by(mut self, vacancy: Vacancy) -> Self {
        self.acceptor = self.acceptor.limited_by(vacancy);
        self
    }

    pub(crate) fn setting(&self) -> &ListenAddress {
        &self.setting
    }

    /// Accepts from now on, as a task of `owner` on this worker: the first one, because the connections
    /// that it keeps wake no other thread.
    pub(crate) fn open(
        self,
        tokens: ListenerTokens,
        dispatch: Dispatch,
        worker: &Worker,
        owner: &TaskTracker,
    ) -> OpenListener {
        let accepting = TaskTracker::new();
        accepting.close();
        let (alive, stop) = (accepting.token(), tokens.accepting.clone());
        let acceptor = self.acceptor;
        let socket = acceptor.socket();
        worker.spawn(owner, async move {
            stop.run_until_cancelled_owned(acceptor.run(dispatch)).await;
            drop(alive);
        });
        OpenListener {
            setting: self.setting,
            address: self.address,
            only_v6: self.only_v6,
            tokens,
            socket,
            accepting,
        }
    }
}

impl OpenListener {
    /// A copy of the socket for another process, unless it is closed.
    fn copy(&self) -> Option<io::Result<OwnedFd>> {
        Some(self.socket.upgrade()?.copy())
    }

    /// Sets whether the file of a unix socket is this process's to remove.
    fn set_file_ours(&self, is_ours: bool) {
        if let Some(socket) = self.socket.upgrade() {
            socket.set_file_ours(is_ours);
        }
    }

    /// Closes the socket. Its sessions stay; other connections end after their current request.
    pub(crate) async fn close(self) {
        self.tokens.accepting.cancel();
        self.tokens.closing.cancel();
        if timeout(CLOSE_TIMEOUT, self.accepting.wait()).await.is_err() {
            let address = &self.address;
            tracing::warn!(%address, "a listener is slow to close");
        }
    }

    /// Whether it would serve other clients if it were bound again beside these.
    pub(crate) fn differs_beside(&self, wanted: &[Listen]) -> bool {
        self.only_v6 != bind::only_v6(&self.setting, wanted)
    }
}

impl Listeners {
    /// Where they listen.
    pub(crate) fn addresses(&self) -> impl Iterator<Item = &BoundAddress> {
        self.all().map(|open| &open.address)
    }

    /// Copies of all listening sockets, for another process.
    pub(crate) fn copy_sockets(&self) -> io::Result<Vec<OwnedFd>> {
        self.all().filter_map(OpenListener::copy).collect()
    }

    /// Takes the files of unix sockets over from the process that handed them over.
    pub(crate) fn own_files(&self) {
        self.all().for_each(|open| open.set_file_ours(true));
    }

    /// Leaves the listening sockets to the process that has copies of them.
    pub(crate) fn hand_over(&mut self) {
        self.handed_over = true;
        self.all().for_each(|open| open.set_file_ours(false));
    }

    fn all(&self) -> impl Iterator<Item = &OpenListener> {
        let interfaces = self.admin.iter().chain(&self.publish);
        self.clients.iter().chain(interfaces)
    }
}
