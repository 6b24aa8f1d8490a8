//! The signals that the process handles.

use std::fmt;
use std::io;

use tokio::signal::unix::{Signal, SignalKind, signal};

/// The signals that the process handles from now on.
#[derive(Debug)]
pub(crate) struct Signals {
    interrupt: Signal,
    terminate: Signal,
    hangup: Signal,
}

/// What a signal requests.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum SignalAction {
    Stop(StopSignal),
    /// SIGHUP.
    Reload,
}

/// A signal to stop.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StopSignal {
    /// SIGINT: Ctrl-C.
    Interrupt,
    /// SIGTERM.
    Terminate,
}

impl Signals {
    pub(crate) fn listen() -> io::Result<Self> {
        Ok(Self {
            interrupt: signal(SignalKind::interrupt())?,
            terminate: signal(SignalKind::terminate())?,
            hangup: signal(SignalKind::hangup())?,
        })
    }

    /// Waits for the next signal.
    pub(crate) async fn next(&mut self) -> SignalAction {
        tokio::select! {
            _ = self.interrupt.recv() => SignalAction::Stop(StopSignal::Interrupt),
            _ = self.terminate.recv() => SignalAction::Stop(StopSignal::Terminate),
            _ = self.hangup.recv() => SignalAction::Reload,
        }
    }

    /// Waits for the next signal to stop, while the process is stopping already.
    pub(crate) async fn stop(&mut self) -> StopSignal {
        loop {
            match self.next().await {
                SignalAction::Stop(signal) => return signal,
                SignalAction::Reload => tracing::warn!("SIGHUP: the process is stopping"),
            }
        }
    }
}

impl StopSignal {
    /// The exit code of a process that the signal ended, as shells have it.
    pub fn exit_code(self) -> u8 {
        match self {
            Self::Interrupt => 130,
            Self::Terminate => 143,
        }
    }
}

impl fmt::Display for StopSignal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Interrupt => "SIGINT",
            Self::Terminate => "SIGTERM",
        })
    }
}
