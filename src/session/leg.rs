//! One leg: a socket and what it has not taken yet.

use std::cell::RefCell;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Poll, Waker, ready};
use std::time::Duration;

use bytes::{Buf, Bytes};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::Instant;

use super::entry::SessionEntry;
use super::keepalive::Pinger;
use super::leg_waker::LegWaker;
use super::outbox::Outbox;
use crate::channels::{Mailbox, Taken};
use crate::close::CloseCode;
use crate::frame::{self, Opcode};
use crate::types::Side;

/// The most that is read of a peer while nothing of it is passed on any more: what was on its way when it
/// was told of the end. The buffers of two sockets hold 10 MiB where the system has its defaults.
pub(super) const MOST_DISCARDED: usize = 16 * 1024 * 1024;

/// How often a session takes publications before the thread's other tasks get their turn.
const MOST_AT_ONCE: usize = 16;

thread_local! {
    /// Where small publications are put together for one write; lent to one session at a time.
    static BATCH: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) };
}

/// A leg's I/O. All bytes to the peer, relayed or our own, pass through here.
#[derive(Debug)]
pub(super) struct Leg<S> {
    side: Side,
    io: S,
    /// It is a stream on a connection that others share.
    is_stream: bool,
    /// Wakes the session's task for the socket.
    waker: LegWaker,
    /// What the socket did not take.
    outbox: Outbox,
    /// Frames of our own that wait for a frame boundary.
    own: Vec<u8>,
    /// Where publications come, once one has.
    mailbox: Option<Arc<Mailbox>>,
    /// Publications wait there for the end of a message.
    has_mail: bool,
    /// Since when the outbox has been waiting without the socket taking a byte.
    stalled: Option<Instant>,
    unflushed: bool,
    pub(super) pinger: Pinger,
    /// A close frame is in `own`, in the outbox or on the wire: nothing may follow it.
    pub(super) close_sent: bool,
    /// The peer's close frame has come, with or without a code: nothing will follow it.
    pub(super) close_received: Option<Option<CloseCode>>,
    /// What was read and passed on to nobody.
    discarded: usize,
    /// The peer has ended its half, the socket is broken, or too much was discarded.
    ended: bool,
    /// Our half is shut, or nothing can be sent any more.
    shut: bool,
    /// What was written ends inside a frame whose rest will never come.
    truncated: bool,
}

impl<S: AsyncRead + AsyncWrite + Unpin> Leg<S> {
    pub(super) fn new(side: Side, io: S, pinger: Pinger) -> Self {
        Self {
            side,
            io,
            is_stream: false,
            waker: LegWaker::noop(),
            outbox: Outbox::default(),
            own: Vec::new(),
            mailbox: None,
            has_mail: false,
            stalled: None,
            unflushed: false,
            pinger,
            close_sent: false,
            close_received: None,
            discarded: 0,
            ended: false,
            shut: false,
            truncated: false,
        }
    }

    /// Sets the task that the socket wakes from now on.
    pub(super) fn set_task(&mut self, task: &Waker) {
        self.waker = LegWaker::new(task);
    }

    /// Returns whether the socket has woken the task since the last call.
    pub(super) fn take_woken(&self) -> bool {
        self.waker.take_woken()
    }

    /// Reads what there is into `buffer`; 0 is the end.
    ///
    /// A broken socket is an end as well: the peer is gone either way.
    pub(super) fn poll_read(&mut self, buffer: &mut [u8]) -> Poll<usize> {
        let mut buffer = ReadBuf::new(buffer);
        match ready!(Pin::new(&mut self.io).poll_read(&mut self.waker.context(), &mut buffer)) {
            Ok(()) => {
                self.ended = buffer.filled().is_empty();
                Poll::Ready(buffer.filled().len())
            }
            Err(error) => {
                self.ended = true;
                self.unwritable(&error);
                Poll::Ready(0)
            }
        }
    }

    /// Writes bytes behind everything written before; keeps what the socket does not take.
    pub(super) fn write(&mut self, mut bytes: &[u8], now: Instant) {
        while !bytes.is_empty() && self.outbox.is_empty() && !self.shut {
            match Pin::new(&mut self.io).poll_write(&mut self.waker.context(), bytes) {
                Poll::Ready(Ok(0)) => self.unwritable(&io::ErrorKind::WriteZero.into()),
                Poll::Ready(Ok(length)) => {
                    self.unflushed = true;
                    bytes = &bytes[length..];
                }
                Poll::Ready(Err(error)) => self.unwritable(&error),
                Poll::Pending => break,
            }
        }
        if !bytes.is_empty() && !self.shut {
            self.stalled.get_or_insert(now);
            self.outbox.push(bytes);
        }
    }

    /// Writes a frame whose bytes other sessions write too, and keeps what the socket does not take of it without a
    /// copy. Nothing may be waiting before it.
    fn write_shared(&mut self, mut frame: Bytes, now: Instant) {
        debug_assert!(self.outbox.is_empty());
        while !frame.is_empty() && !self.shut {
            match Pin::new(&mut self.io).poll_write(&mut self.waker.context(), &frame) {
                Poll::Ready(Ok(0)) => self.unwritable(&io::ErrorKind::WriteZero.into()),
                Poll::Ready(Ok(length)) => {
                    self.unflushed = true;
                    frame.advance(length);
                }
                Poll::Ready(Err(error)) => self.unwritable(&error),
                Poll::Pending => {
                    self.stalled.get_or_insert(now);
                    return self.outbox.push_shared(frame);
                }
            }
        }
    }

    /// Writes publications that wait, until the socket takes no more. The caller stands between two messages. Returns
    /// whether any was written.
    pub(super) fn write_mail(&mut self, now: Instant) -> bool {
        if !self.has_mail {
            return false;
        }
        let Some(mailbox) = self.mailbox.take() else {
            return false;
        };
        let has_written = self.write_mail_of(&mailbox, now);
        self.mailbox = Some(mailbox);
        has_written
    }

    fn write_mail_of(&mut self, mailbox: &Mailbox, now: Instant) -> bool {
        let mut has_written = false;
        for _ in 0..MOST_AT_ONCE {
            if !self.outbox.is_empty() || self.shut {
                mailbox.set_stalled();
                return has_written;
            }
            let taken = BATCH.with_borrow_mut(|batch| {
                let taken = mailbox.take(batch);
                if taken == Taken::Several {
                    self.write(batch, now);
                }
                taken
            });
            match taken {
                Taken::Nothing => {
                    self.has_mail = false;
                    return has_written;
                }
                Taken::One(frame) => self.write_shared(frame, now),
                Taken::Several => {}
            }
            has_written = true;
        }
        has_written
    }

    /// Ready once the socket has taken everything.
    pub(super) fn poll_drained(&mut self, now: Instant) -> Poll<()> {
        while !self.outbox.is_empty() {
            match ready!(
                Pin::new(&mut self.io).poll_write(&mut self.waker.context(), self.outbox.bytes())
            ) {
                Ok(0) => self.unwritable(&io::ErrorKind::WriteZero.into()),
                Ok(length) => {
                    self.unflushed = true;
                    self.took(length, now);
                }
                Err(error) => self.unwritable(&error),
            }
        }
        Poll::Ready(())
    }

    /// Passes on what a layer below (TLS, HTTP/2) may hold back; nothing for a bare socket.
    pub(super) fn flush(&mut self) {
        if self.unflushed && !self.shut {
            match Pin::new(&mut self.io).poll_flush(&mut self.waker.context()) {
                Poll::Ready(Ok(())) => self.unflushed = false,
                Poll::Ready(Err(error)) => self.unwritable(&error),
                Poll::Pending => {}
            }
        }
    }

    /// Shuts our half, once everything is out.
    pub(super) fn poll_shut(&mut self, now: Instant) -> Poll<()> {
        if !self.shut {
            ready!(self.poll_drained(now));
        }
        if !self.shut {
            // Whether it worked or not, there is nothing more to do with our half.
            let _ = ready!(Pin::new(&mut self.io).poll_shutdown(&mut self.waker.context()));
            self.shut = true;
        }
        Poll::Ready(())
    }

    fn took(&mut self, length: usize, now: Instant) {
        let is_empty = self.outbox.take(length);
        self.stalled = (!is_empty).then_some(now);
    }

    /// Nothing can be sent any more. What the peer sent before may still be read: its close frame
    /// may be among it.
    fn unwritable(&mut self, error: &io::Error) {
        tracing::debug!(side = %self.side, %error, "cannot write");
        self.shut = true;
        self.unflushed = false;
        self.outbox = Outbox::default();
        self.own = Vec::new();
        self.has_mail = false;
        self.stalled = None;
    }
}

impl<S> Leg<S> {
    /// Lets a ping wait for the next frame boundary, unless nothing can be sent any more.
    pub(super) fn ping(&mut self, payload: &[u8], now: Instant) {
        if self.close_sent || self.shut {
            self.pinger.unsendable(now);
        } else {
            frame::write_frame(self.side, Opcode::Ping, payload, &mut self.own);
        }
    }

    /// Takes a ping that is passed on in the place of our own, if that has not gone out.
    pub(super) fn note_relayed_ping(&mut self, now: Instant) {
        // A close frame that waits as well would stand behind the ping.
        if self.pinger.note_relayed_ping(now) && !self.close_sent {
            self.own = Vec::new();
        }
    }

    /// Lets a close frame wait for the next frame boundary; only ever one.
    pub(super) fn close(&mut self, code: Option<CloseCode>, reason: &str) {
        if !self.close_sent && !self.shut {
            frame::write_close(self.side, code, reason, &mut self.own);
        }
        self.close_sent = true;
    }

    /// Frames of our own that wait for a frame boundary.
    pub(super) fn has_own(&self) -> bool {
        !self.own.is_empty()
    }

    /// Lets what is in the session's mailbox wait for the end of a message, unless nothing can be sent any more.
    pub(super) fn expect_mail(&mut self, entry: &SessionEntry) {
        if self.mailbox.is_none() {
            self.mailbox = entry.mail().cloned();
        }
        self.has_mail = !self.close_sent && !self.shut;
    }

    /// Whether publications wait for the end of a message.
    pub(super) fn has_mail(&self) -> bool {
        self.has_mail
    }

    /// Whether frames of our own or publications wait for their place.
    #[inline]
    pub(super) fn has_any(&self) -> bool {
        self.has_own() || self.has_mail()
    }

    /// Takes those frames. The caller stands at a frame boundary and sends them now.
    pub(super) fn take_own(&mut self, now: Instant) -> Vec<u8> {
        self.pinger.sent(now);
        std::mem::take(&mut self.own)
    }

    /// Drops those frames, because nothing of ours may follow what was written last.
    pub(super) fn forget_own(&mut self) {
        self.own = Vec::new();
    }

    /// What was written ends inside a frame whose rest is lost: nothing may follow it but the end.
    pub(super) fn truncate(&mut self) {
        self.forget_own();
        self.truncated = true;
        self.close_sent = true;
    }

    pub(super) fn truncated(&self) -> bool {
        self.truncated
    }

    pub(super) fn side(&self) -> Side {
        self.side
    }

    /// The leg is a stream on a connection that others share.
    pub(super) fn share_connection(&mut self) {
        self.is_stream = true;
    }

    /// Whether the end of our half can go out in one with what was just written. Some servers forget a stream at
    /// the answer to their close frame, and take an end behind it for an error of the whole connection.
    pub(super) fn can_end_with_last_frame(&self) -> bool {
        self.is_stream && self.unflushed
    }

    /// Whether bytes wait for the peer to take them.
    pub(super) fn stalled(&self) -> bool {
        self.stalled.is_some()
    }

    /// When a peer that takes nothing until then is too slow.
    pub(super) fn write_deadline(&self, timeout: Duration) -> Option<Instant> {
        self.stalled.map(|since| since + timeout)
    }

    /// Counts what is passed on to nobody. A peer that goes on sending is read no more: its close frame is
    /// not to be expected, and the end of the session resets its connection.
    pub(super) fn discard(&mut self, length: usize) {
        self.discarded = self.discarded.saturating_add(length);
        self.ended |= self.discarded > MOST_DISCARDED;
    }

    /// Whether the peer has ended its half, or is read no more.
    pub(super) fn ended(&self) -> bool {
        self.ended
    }

    /// Whether nothing can be sent any more.
    pub(super) fn shut(&self) -> bool {
        self.shut
    }
}
