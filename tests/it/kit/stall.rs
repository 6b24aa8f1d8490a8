//! Sessions in which a peer takes nothing.

use std::cell::Cell;

use super::Wire;
use super::stage::Stage;

/// A session has stalled once nothing more was taken of it while so many others came and went.
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

    /// Serves others until what is counted here grows no more; it has to begin to. Neither the gate
    /// nor the kernel announces that a peer takes nothing, so that the others' sessions are the clock.
    pub(crate) async fn until_stalled(&self, sent: &Cell<usize>) {
        let (mut rounds, mut before) = (0, 0);
        while rounds < ROUNDS || before == 0 {
            self.serves_others().await;
            rounds = if sent.get() == before { rounds + 1 } else { 0 };
            before = sent.get();
        }
    }
}
