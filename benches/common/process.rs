//! A process of the benchmark: a proxy, or the backend.

use std::io;
use std::net::{SocketAddr, TcpListener};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use tokio_rustls::rustls::ClientConfig;

use super::http2::Connections;
use super::stream::Target;

/// It ends with this.
pub(crate) struct Process {
    child: Child,
    /// Where it listens.
    pub(crate) address: SocketAddr,
    /// What its clients speak TLS with, if they do.
    pub(crate) tls: Option<Arc<ClientConfig>>,
    /// What they have streams of, if they speak HTTP/2.
    pub(crate) http2: Option<Connections>,
}

/// How long a process may take to end before it is killed.
const PATIENCE: Duration = Duration::from_secs(2);

impl Process {
    /// Starts a command that is to listen there.
    pub(crate) fn start(command: &mut Command, address: SocketAddr) -> io::Result<Self> {
        command.stdin(Stdio::null()).stdout(Stdio::null());
        if std::env::var_os("BENCH_VERBOSE").is_none() {
            command.stderr(Stdio::null());
        }
        let name = command.get_program().display().to_string();
        let child = command
            .spawn()
            .map_err(|error| io::Error::other(format!("{name}: {error}")))?;
        Ok(Self {
            child,
            address,
            tls: None,
            http2: None,
        })
    }

    /// Where its clients connect to.
    pub(crate) fn target(&self) -> Target {
        Target {
            address: self.address,
            tls: self.tls.clone(),
            http2: self.http2.clone(),
        }
    }

    /// An error if it has ended.
    pub(crate) fn check(&mut self) -> io::Result<()> {
        match self.child.try_wait()? {
            None => Ok(()),
            Some(status) => Err(io::Error::other(format!("it has ended: {status}"))),
        }
    }

    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    /// Asks it to end, and waits; `None` if it takes longer than that.
    pub(crate) fn end(&mut self, patience: Duration) -> Option<ExitStatus> {
        // Once it has been waited for, its number may be another's.
        if let (Ok(None), Some(pid)) = (
            self.child.try_wait(),
            Pid::from_raw(self.id().cast_signed()),
        ) {
            // It may be gone already.
            let _ = kill_process(pid, Signal::TERM);
        }
        let begun = Instant::now();
        loop {
            match self.child.try_wait() {
                Ok(Some(status)) => return Some(status),
                Ok(None) if begun.elapsed() < patience => {
                    std::thread::sleep(Duration::from_millis(5));
                }
                Ok(None) | Err(_) => return None,
            }
        }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        if self.end(PATIENCE).is_none() {
            let _ = self.child.kill();
            let _ = self.child.wait();
        }
    }
}

/// A loopback address where nobody listens.
pub(crate) fn free_address() -> io::Result<SocketAddr> {
    TcpListener::bind("127.0.0.1:0")?.local_addr()
}
