//! The worker threads.
//!
//! One worker a core, each with its own runtime: a session stays on one core, and the workers share no
//! queue and no lock. A new socket goes to the worker with the fewest tasks, which is the one with the
//! fewest connections and sessions.

use std::convert::Infallible;
use std::future::Future;
use std::io;
use std::num::NonZeroUsize;
use std::thread::{self, JoinHandle};

use tokio::runtime::{Builder, Handle, Runtime};
use tokio::sync::oneshot;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// A handle to one worker.
#[derive(Clone, Debug)]
pub(crate) struct Worker {
    runtime: Handle,
}

/// All workers; dropping them ends every task on them.
#[derive(Debug)]
pub(crate) struct Workers {
    workers: Vec<Worker>,
    /// Beside them, if there is an engine.
    engine: Option<Worker>,
    threads: Vec<JoinHandle<()>>,
    stop: CancellationToken,
    /// Closed when each thread has ended its tasks.
    ended: TaskTracker,
}

/// Threads for name look-ups per worker; nothing else blocks.
const LOOKUP_THREADS: usize = 16;

impl Workers {
    /// Starts so many workers; 0 is one a core.
    pub(crate) fn start(wanted: usize) -> io::Result<Self> {
        let count = count(wanted);
        let mut workers = Self {
            workers: Vec::with_capacity(count),
            engine: None,
            threads: Vec::with_capacity(count),
            stop: CancellationToken::new(),
            ended: TaskTracker::new(),
        };
        for index in 0..count {
            let worker = workers.add(&index.to_string())?;
            workers.workers.push(worker);
        }
        workers.ended.close();
        Ok(workers)
    }

    /// A worker for the connections with the engine that gates share. It is none of those that serve: a handshake waits
    /// for the engine's answer, and a busy worker would read it late.
    pub(crate) fn engine(&mut self) -> io::Result<Worker> {
        if let Some(worker) = &self.engine {
            return Ok(worker.clone());
        }
        let worker = self.add("engine")?;
        self.engine = Some(worker.clone());
        Ok(worker)
    }

    /// Starts a thread of this name.
    fn add(&mut self, name: &str) -> io::Result<Worker> {
        let runtime = Builder::new_current_thread()
            .enable_all()
            .max_blocking_threads(LOOKUP_THREADS)
            .thread_name(format!("wsgate-lookup-{name}"))
            .build()?;
        let worker = Worker {
            runtime: runtime.handle().clone(),
        };
        let stop = self.stop.clone();
        let alive = self.ended.token();
        let thread = thread::Builder::new()
            .name(format!("wsgate-{name}"))
            .spawn(move || {
                work(runtime, &stop);
                drop(alive);
            })?;
        self.threads.push(thread);
        Ok(worker)
    }

    /// The first worker, which runs the accept loops.
    pub(crate) fn first(&self) -> &Worker {
        &self.workers[0]
    }

    pub(crate) fn count(&self) -> usize {
        self.workers.len()
    }

    pub(crate) fn iter(&self) -> std::slice::Iter<'_, Worker> {
        self.workers.iter()
    }

    /// Ends the remaining tasks, and the threads.
    pub(crate) async fn finish(mut self) {
        self.stop.cancel();
        self.ended.wait().await;
        for thread in self.threads.drain(..) {
            // The thread has nothing left to do, so that this does not block.
            if thread.join().is_err() {
                tracing::error!("a worker panicked");
            }
        }
    }
}

impl Drop for Workers {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

impl Worker {
    pub(crate) fn runtime(&self) -> &Handle {
        &self.runtime
    }

    /// Connections and sessions, and a few tasks more.
    pub(crate) fn load(&self) -> usize {
        self.runtime.metrics().num_alive_tasks()
    }

    /// Resolves when it has run a new task, or ends.
    pub(crate) async fn responds(&self) {
        let (sender, dropped) = oneshot::channel();
        self.spawn(&TaskTracker::new(), async move { drop(sender) });
        let _dropped: Result<Infallible, _> = dropped.await;
    }

    /// Runs a task of `owner` on this worker.
    pub(crate) fn spawn<F>(&self, owner: &TaskTracker, task: F)
    where
        F: Future<Output = ()> + Send + 'static,
    {
        owner.spawn_on(task, &self.runtime);
    }
}

/// How many workers there are where the settings want so many.
pub(crate) fn count(wanted: usize) -> usize {
    match wanted {
        0 => thread::available_parallelism().map_or(1, NonZeroUsize::get),
        wanted => wanted,
    }
}

fn work(runtime: Runtime, stop: &CancellationToken) {
    runtime.block_on(stop.cancelled());
    // A plain drop would wait for a name look-up that is still running.
    runtime.shutdown_background();
}

#[cfg(test)]
mod tests {
    use std::thread::ThreadId;

    use super::*;

    async fn thread_of(worker: &Worker) -> ThreadId {
        let (sender, receiver) = oneshot::channel();
        worker.spawn(&TaskTracker::new(), async move {
            sender.send(thread::current().id()).unwrap();
        });
        receiver.await.unwrap()
    }

    #[tokio::test]
    async fn each_worker_is_a_thread_of_its_own() {
        let workers = Workers::start(3).unwrap();
        let mut threads = std::collections::HashSet::new();
        for worker in workers.iter() {
            assert!(threads.insert(thread_of(worker).await));
        }
        assert_eq!(threads.len(), 3);
        workers.finish().await;
    }

    #[tokio::test]
    async fn the_engine_has_a_thread_of_its_own_which_is_made_once_and_ends_with_the_others() {
        let mut workers = Workers::start(2).unwrap();
        let engine = workers.engine().unwrap();
        let thread = thread_of(&engine).await;
        assert_eq!(thread_of(&workers.engine().unwrap()).await, thread);
        for worker in workers.iter() {
            assert_ne!(thread_of(worker).await, thread);
        }
        let (held, ended) = oneshot::channel::<()>();
        engine.spawn(&TaskTracker::new(), async move {
            let _held = held;
            std::future::pending::<()>().await;
        });
        workers.finish().await;
        assert!(ended.await.is_err());
    }

    #[tokio::test]
    async fn no_number_is_a_worker_a_core() {
        let cores = thread::available_parallelism().unwrap().get();
        let workers = Workers::start(0).unwrap();
        assert_eq!(workers.iter().count(), cores);
    }

    #[tokio::test]
    async fn a_task_is_load_at_once_and_until_it_ends() {
        let workers = Workers::start(1).unwrap();
        let tasks = TaskTracker::new();
        let (end, ended) = oneshot::channel::<()>();
        assert_eq!(workers.first().load(), 0);
        workers.first().spawn(&tasks, async move {
            ended.await.unwrap();
        });
        assert_eq!(workers.first().load(), 1);
        end.send(()).unwrap();
        tasks.close();
        tasks.wait().await;
        workers.finish().await;
    }

    #[tokio::test]
    async fn the_end_of_the_workers_ends_their_tasks() {
        struct Ended(Option<oneshot::Sender<()>>);
        impl Drop for Ended {
            fn drop(&mut self) {
                self.0.take().unwrap().send(()).unwrap();
            }
        }
        let workers = Workers::start(1).unwrap();
        let (sender, receiver) = oneshot::channel();
        let ended = Ended(Some(sender));
        workers.first().spawn(&TaskTracker::new(), async move {
            let _held = ended;
            std::future::pending::<()>().await;
        });
        workers.finish().await;
        receiver.await.unwrap();
    }
}
