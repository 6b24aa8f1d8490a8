//! Publications on their way to the client.

use std::task::Context;

use tokio::io::{AsyncRead, AsyncWrite};
use tokio::time::Instant;

use super::entry::SessionEntry;
use super::relay::yield_to_others;
use super::state::SessionState;

impl<C, U> SessionState<C, U>
where
    C: AsyncRead + AsyncWrite + Unpin,
    U: AsyncRead + AsyncWrite + Unpin,
{
    /// Something waits in the session's mailbox.
    pub(super) fn expect_mail(&mut self, entry: &SessionEntry) {
        if self.ending.is_none() {
            self.client.expect_mail(entry);
            self.to_client.find_message_ends();
        }
    }

    /// Writes publications, if the client's leg stands between two messages. In the middle of one they wait: the pump
    /// writes them behind its end.
    pub(super) fn deliver(&mut self, cx: &mut Context<'_>, now: Instant) {
        if self.client.close_sent || self.client.shut() || !self.to_client.between_messages() {
            return;
        }
        let _wakes_when_drained = self.client.poll_drained(now);
        if self.client.write_mail(now) {
            self.last_data = now;
            if self.client.has_mail() && !self.client.stalled() {
                yield_to_others(cx);
            }
        }
    }
}
