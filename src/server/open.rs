//! The listeners that are served: opened and closed one by one while the process goes on.

use std::io;
use std::os::fd::OwnedFd;
use std::sync::{Arc, Weak};
use std::time::Duration;

use tokio::time::timeout;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::accept::{AcceptingSocket, Acceptor, Dispatch};
use super::listen::{BoundAddress, Listener};
use super::passed::PassedSockets;
use super::room::Room;
use super::workers::Worker;
use super::{ServeError, Server, listen};
use crate::config::{Listen, ListenAddress};

/// A listener that connections are accepted on.
#[derive(Debug)]
pub(super) struct OpenListener {
    /// What the settings call it.
    pub(super) setting: ListenAddress,
    pub(super) address: BoundAddress,
    only_v6: bool,
    ends: Ends,
    socket: Weak<AcceptingSocket>,
    /// Done when the socket is closed.
    accepting: TaskTracker,
}

/// How a listener and what came by it learn that they are to end.
#[derive(Clone, Debug)]
pub(super) struct Ends {
    /// Cancelled to stop accepting.
    pub(super) accepting: CancellationToken,
    /// Cancelled for connections that are not sessions to end after the request that they are in.
    pub(super) closing: CancellationToken,
}

/// A listener that is bound, and accepts nothing yet.
pub(super) struct BoundListener {
    setting: ListenAddress,
    address: BoundAddress,
    only_v6: bool,
    acceptor: Acceptor,
}

/// Closing a socket takes no waiting of its own, but its worker may be busy.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(5);

impl BoundListener {
    /// Binds what the settings name and is not open yet, or nothing. The accept loops are to run
    /// on this worker.
    pub(super) fn bind_new(
        wanted: &[Listen],
        open: &[OpenListener],
        passed: &PassedSockets,
        worker: &Worker,
    ) -> Result<Vec<Self>, ServeError> {
        let is_open = |setting: &ListenAddress| open.iter().any(|open| open.setting == *setting);
        let listeners = listen::bind(wanted, passed, |setting| !is_open(setting))?;
        let bound = listeners.into_iter();
        bound.map(|listener| Self::of(listener, worker)).collect()
    }

    /// Binds the one address.
    pub(super) fn bind(
        setting: &ListenAddress,
        passed: &PassedSockets,
        worker: &Worker,
    ) -> Result<Self, ServeError> {
        Self::of(Listener::bind(setting, passed, false)?, worker)
    }

    fn of(listener: Listener, worker: &Worker) -> Result<Self, ServeError> {
        let _entered = worker.runtime().enter();
        Ok(Self {
            setting: listener.setting.clone(),
            address: listener.address.clone(),
            only_v6: listener.only_v6,
            acceptor: Acceptor::new(listener).map_err(ServeError::System)?,
        })
    }

    /// Accepts no more than there is room for.
    fn within(mut self, room: Arc<Room>) -> Self {
        self.acceptor = self.acceptor.within(room);
        self
    }

    pub(super) fn setting(&self) -> &ListenAddress {
        &self.setting
    }

    /// Accepts from now on, as a task of `owner` on this worker: the first, because what it accepts
    /// for itself wakes nobody else.
    pub(super) fn open(
        self,
        ends: Ends,
        dispatch: Dispatch,
        worker: &Worker,
        owner: &TaskTracker,
    ) -> OpenListener {
        let accepting = TaskTracker::new();
        accepting.close();
        let (alive, stop) = (accepting.token(), ends.accepting.clone());
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
            ends,
            socket,
            accepting,
        }
    }
}

impl OpenListener {
    /// A copy of the socket for another process, unless it is closed.
    pub(super) fn copy(&self) -> Option<io::Result<OwnedFd>> {
        Some(self.socket.upgrade()?.copy())
    }

    /// Says whether the file of a unix socket is this process's.
    fn set_file_ours(&self, is_ours: bool) {
        if let Some(socket) = self.socket.upgrade() {
            socket.set_file_ours(is_ours);
        }
    }

    /// Closes the socket. Sessions that came by it go on; other connections end after the request
    /// that they are in.
    pub(super) async fn close(self) {
        self.ends.accepting.cancel();
        self.ends.closing.cancel();
        if timeout(CLOSE_TIMEOUT, self.accepting.wait()).await.is_err() {
            let address = &self.address;
            tracing::warn!(%address, "a listener is slow to close");
        }
    }

    /// Whether it would serve other clients if it were bound anew beside these.
    pub(super) fn differs_beside(&self, wanted: &[Listen]) -> bool {
        self.only_v6 != listen::only_v6(&self.setting, wanted)
    }
}

impl Server {
    /// Accepts connections for the gate.
    pub(super) fn open(&mut self, listener: BoundListener) -> BoundAddress {
        let ends = Ends {
            accepting: self.tasks.accepting.child_token(),
            closing: self.tasks.closing.child_token(),
        };
        let (dispatcher, closing) = (Arc::clone(&self.dispatcher), ends.closing.clone());
        let dispatch: Dispatch = Arc::new(move |accepted| dispatcher.dispatch(accepted, &closing));
        let worker = self.workers.first();
        let listener = listener.within(Arc::clone(&self.room));
        let listener = listener.open(ends, dispatch, worker, &self.tasks.acceptors);
        let address = listener.address.clone();
        tracing::info!(%address, "listening");
        self.listeners.push(listener);
        self.name_addresses();
        address
    }

    /// Copies of all its listening sockets, for another process.
    pub(super) fn copy_sockets(&self) -> io::Result<Vec<OwnedFd>> {
        self.open_listeners()
            .filter_map(OpenListener::copy)
            .collect()
    }

    /// Takes the files of unix sockets over from the process that handed them over.
    pub(super) fn own_files(&self) {
        self.open_listeners()
            .for_each(|open| open.set_file_ours(true));
    }

    /// Leaves the listening sockets to the process that has copies of them.
    pub(super) fn hand_over(&mut self) {
        self.handed_over = true;
        self.open_listeners()
            .for_each(|open| open.set_file_ours(false));
    }

    fn open_listeners(&self) -> impl Iterator<Item = &OpenListener> {
        self.listeners.iter().chain(&self.admin_listener)
    }

    pub(super) fn name_addresses(&mut self) {
        let addresses = self.listeners.iter();
        self.addresses = addresses.map(|open| open.address.clone()).collect();
    }

    /// Serves the admin interface until the very end, so that it can be watched.
    pub(super) fn open_admin(&mut self, listener: BoundListener) {
        let ends = Ends {
            accepting: CancellationToken::new(),
            closing: CancellationToken::new(),
        };
        let service = self.admin.at(listener.setting(), ends.closing.clone());
        let worker = self.workers.first();
        let dispatch = service.dispatch(worker.clone());
        let listener = listener.open(ends, dispatch, worker, &self.tasks.background);
        let address = &listener.address;
        tracing::info!(%address, "admin interface listening");
        self.admin_listener = Some(listener);
    }
}
