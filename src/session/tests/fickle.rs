//! Sockets that take and give when they like: whatever they make the session wait for wakes it, so
//! that nothing waits for a timer.

use std::sync::Mutex;
use std::task::ready;

use proptest::prelude::*;
use tokio::io::{ReadBuf, split};
use tokio::task::yield_now;
use tokio_util::task::TaskTracker;

use super::*;

/// A socket below a layer that holds bytes back until it is flushed, as TLS does. What it does next
/// is written down beforehand.
struct Fickle {
    io: DuplexStream,
    held: Vec<u8>,
    moods: Vec<u8>,
    turn: usize,
    /// For reading, and for everything else.
    waiting: [Waiting; 2],
    /// The tasks that wake the waiting one.
    tasks: TaskTracker,
}

#[derive(Default)]
struct Waiting {
    /// Only the last one is woken.
    waker: Arc<Mutex<Option<Waker>>>,
    has_waited: bool,
}

const READING: usize = 0;
const WRITING: usize = 1;

/// How much the layer holds back.
const HELD: usize = 100;

impl Fickle {
    fn new(io: DuplexStream, moods: Vec<u8>) -> Self {
        Self {
            io,
            held: Vec::new(),
            moods,
            turn: 0,
            waiting: Default::default(),
            tasks: TaskTracker::new(),
        }
    }

    fn mood(&mut self) -> usize {
        self.turn += 1;
        self.moods[self.turn % self.moods.len()].into()
    }

    /// Has the session wait a little in every other call at most, and wakes it then.
    fn hesitates(&mut self, at: usize, cx: &Context<'_>) -> bool {
        let mood = self.mood();
        let waiting = &mut self.waiting[at];
        waiting.has_waited = !waiting.has_waited && mood.is_multiple_of(2);
        if waiting.has_waited {
            let waker = Arc::clone(&waiting.waker);
            let before = waker.lock().unwrap().replace(cx.waker().clone());
            if before.is_none() {
                self.tasks.spawn(async move {
                    for _ in 0..mood % 5 {
                        yield_now().await;
                    }
                    let waker = waker.lock().unwrap().take();
                    waker.into_iter().for_each(Waker::wake);
                });
            }
        }
        waiting.has_waited
    }

    /// Passes some of what is held back on.
    fn poll_pass(&mut self, cx: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        let written = ready!(Pin::new(&mut self.io).poll_write(cx, &self.held))?;
        self.held.drain(..written);
        Poll::Ready(Ok(()))
    }
}

impl AsyncRead for Fickle {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<std::io::Result<()>> {
        if self.hesitates(READING, cx) {
            return Poll::Pending;
        }
        let mut piece = vec![0; (1 + self.mood()).min(buffer.remaining())];
        let mut read = ReadBuf::new(&mut piece);
        ready!(Pin::new(&mut self.io).poll_read(cx, &mut read))?;
        buffer.put_slice(read.filled());
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Fickle {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<std::io::Result<usize>> {
        if self.hesitates(WRITING, cx) {
            return Poll::Pending;
        }
        if self.held.len() >= HELD {
            ready!(self.poll_pass(cx))?;
        }
        let room = HELD - self.held.len();
        let taken = bytes.len().min(room).min(1 + self.mood());
        self.held.extend_from_slice(&bytes[..taken]);
        Poll::Ready(Ok(taken))
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        if self.hesitates(WRITING, cx) {
            return Poll::Pending;
        }
        while !self.held.is_empty() {
            ready!(self.poll_pass(cx))?;
        }
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        ready!(self.as_mut().poll_flush(cx))?;
        Pin::new(&mut self.io).poll_shutdown(cx)
    }
}

#[derive(Clone, Debug)]
struct Case {
    /// The sizes of the messages of the client, and of the upstream.
    messages: [Vec<usize>; 2],
    moods: [Vec<u8>; 2],
    pipes: [usize; 2],
}

fn case() -> impl Strategy<Value = Case> {
    let messages =
        || prop::collection::vec(prop_oneof![4 => 0usize..200, 1 => 0usize..2_000], 0..5);
    let moods = || prop::collection::vec(any::<u8>(), 1..40);
    let pipe = || prop_oneof![1 => 1usize..20, 2 => 20usize..2_000];
    (
        [messages(), messages()],
        [moods(), moods()],
        [pipe(), pipe()],
    )
        .prop_map(|(messages, moods, pipes)| Case {
            messages,
            moods,
            pipes,
        })
}

async fn run(case: Case) {
    let bytes = |sizes: &[usize], frame: fn(u8, &[u8]) -> Vec<u8>| -> Vec<u8> {
        let frames = sizes.iter().map(|size| frame(0x82, &vec![7; *size]));
        frames.collect::<Vec<_>>().concat()
    };
    let up = [
        bytes(&case.messages[0], masked),
        masked(0x88, &close(4000, "bye")),
    ]
    .concat();
    let news = bytes(&case.messages[1], server);
    let answer = server(0x88, &close(4000, "bye"));
    let (client, gate_client) = duplex(case.pipes[0]);
    let (upstream, gate_upstream) = duplex(case.pipes[1]);
    let [of_client, of_upstream] = case.moods;
    let gate_client = Fickle::new(gate_client, of_client);
    let gate_upstream = Fickle::new(gate_upstream, of_upstream);
    let registry = Arc::new(Registry::for_tests(0, WallClock::default()));
    let session = session(&registry, gate_client, gate_upstream, setup());
    registry.tasks.spawn(session);
    registry.tasks.close();
    let began = Instant::now();
    let (mut from_client, mut to_client) = split(client);
    let (mut from_upstream, mut to_upstream) = split(upstream);
    let client = async {
        let mut got = Vec::new();
        let (sent, read) =
            tokio::join!(to_client.write_all(&up), from_client.read_to_end(&mut got));
        sent.unwrap();
        read.unwrap();
        assert!(got == [&news[..], &answer].concat());
        to_client.shutdown().await.unwrap();
    };
    let upstream = async {
        let mut got = vec![0; up.len()];
        let (sent, read) = tokio::join!(
            to_upstream.write_all(&news),
            from_upstream.read_exact(&mut got)
        );
        sent.unwrap();
        read.unwrap();
        assert!(got == up);
        to_upstream.write_all(&answer).await.unwrap();
        to_upstream.shutdown().await.unwrap();
    };
    tokio::join!(client, upstream, registry.tasks.wait());
    assert_eq!(began.elapsed(), Duration::ZERO, "it waited for a timer");
}

proptest! {
    #[test]
    fn whatever_sockets_make_a_session_wait_for_wakes_it(case in case()) {
        tokio::runtime::Builder::new_current_thread()
            .enable_time()
            .start_paused(true)
            .build()
            .unwrap()
            .block_on(run(case));
    }
}
