//! The cheapest way to relay messages of up to 64 KiB that we know: what wsgate does, without
//! understanding anything.
//!
//! One task a session looks at both directions; it reads into the thread's buffer, which begins a
//! cache line, and writes from there; only what a socket refuses is kept. What is above its figures is
//! what a proxy's work costs, and what is in them is the system's and the runtime's.

use std::cell::RefCell;
use std::future::poll_fn;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;

/// What one read takes at most: as wsgate where it does not know of a bigger frame.
const READ: usize = 64 * 1024;
const LINE: usize = 64;
/// How often a direction moves something before the other tasks have their turn.
const TURNS: usize = 2;

thread_local! {
    static SCRATCH: RefCell<Vec<u8>> = RefCell::new(vec![0; READ + LINE]);
}

pub(crate) async fn relay(mut client: TcpStream, mut server: TcpStream) -> io::Result<()> {
    let (mut up, mut down) = (Direction::default(), Direction::default());
    poll_fn(|cx| {
        let up = up.poll(&mut client, &mut server, cx)?;
        let down = down.poll(&mut server, &mut client, cx)?;
        match up.is_ready() && down.is_ready() {
            true => Poll::Ready(Ok(())),
            false => Poll::Pending,
        }
    })
    .await
}

#[derive(Default)]
struct Direction {
    /// What the sink has not taken.
    kept: Vec<u8>,
    ended: bool,
}

impl Direction {
    fn poll(
        &mut self,
        source: &mut TcpStream,
        sink: &mut TcpStream,
        cx: &mut Context<'_>,
    ) -> Poll<io::Result<()>> {
        if self.ended {
            return Poll::Ready(Ok(()));
        }
        for _ in 0..TURNS {
            while !self.kept.is_empty() {
                let written = ready!(Pin::new(&mut *sink).poll_write(cx, &self.kept))?;
                self.kept.drain(..written);
            }
            let read = SCRATCH.with_borrow_mut(|scratch| {
                let line = scratch.as_ptr().align_offset(LINE);
                let mut buffer = ReadBuf::new(&mut scratch[line..line + READ]);
                ready!(Pin::new(&mut *source).poll_read(cx, &mut buffer))?;
                self.pass_on(sink, buffer.filled(), cx)?;
                Poll::Ready(io::Result::Ok(buffer.filled().len()))
            });
            if ready!(read)? == 0 {
                self.ended = true;
                return Pin::new(sink).poll_shutdown(cx);
            }
        }
        cx.waker().wake_by_ref();
        Poll::Pending
    }

    fn pass_on(
        &mut self,
        sink: &mut TcpStream,
        mut bytes: &[u8],
        cx: &mut Context<'_>,
    ) -> io::Result<()> {
        while !bytes.is_empty() {
            match Pin::new(&mut *sink).poll_write(cx, bytes)? {
                Poll::Ready(written) => bytes = &bytes[written..],
                Poll::Pending => {
                    self.kept.extend_from_slice(bytes);
                    break;
                }
            }
        }
        Ok(())
    }
}
