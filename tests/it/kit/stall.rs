//! Sessions in which a peer takes nothing.

use std::cell::Cell;

use super::Wire;
use super::stage::Stage;

/// A session has stalled if it took nothing more while so many others came and went.
const ROUNDS: usize = 20;

impl Stage {
    /// A session of a client for whom the kernel keeps little.
    pub(crate) async fn small_session(&mut self) -> (Wire, Wire) {
        let address = self.address().parse().expect("an address");
        let mut client = Wire::connect_small(address).await;
        client.send(Self::handshake().text()).await;
        let server = self.upstream.session().await;
        assert_eq!(client.head().await.status(), 101);
        self.was_accepted();
        (client, server)
    }

    /// Serves others until what is counted here grows no more; it has to begin to.
    ///
    /// The others' sessions are the clock, because nothing announces the end of progress. `poll` reports
    /// that a socket takes bytes, never that it will take none for good: a full socket may be drained a
    /// moment later by the gate. `SIOCOUTQ` counts the bytes that wait, and has to be read in rounds too.
    /// The gate has no event for a peer that does not read before `timeouts.write`.
    pub(crate) async fn until_stalled(&self, sent: &Cell<usize>) {
        let (mut rounds, mut before) = (0, 0);
        while rounds < ROUNDS || before == 0 {
            self.serves_others().await;
            rounds = if sent.get() == before { rounds + 1 } else { 0 };
            before = sent.get();
        }
    }
}
