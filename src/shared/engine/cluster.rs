//! The servers of a cluster: which there are, and a keeper for each.

use std::any::Any;
use std::collections::BTreeMap;
use std::future::pending;
use std::panic;
use std::sync::Arc;
use std::time::Duration;

use redis::cmd;
use tokio::task::{AbortHandle, JoinSet};
use tokio::time::sleep;

use super::error::{Endpoint, EngineError};
use super::link::NO_PUSH;
use super::node::Node;
use super::pause::Pauses;
use super::place::Place;
use super::servers::Servers;
use super::topology::{Routes, Share, read_slots};

/// The servers, each with its keeper.
type Kept = BTreeMap<Endpoint, (Arc<Node>, AbortHandle)>;

/// The log's word for what knows the servers.
const PART: &str = "cluster";

/// The servers are asked so often who has what, and when one says that it has not.
const LOOK_AGAIN: Duration = Duration::from_secs(30);

/// The pauses between attempts, and before one that an answer has caused: more of them come at once.
const FIRST_PAUSE: Duration = Duration::from_millis(50);
const LONGEST_PAUSE: Duration = Duration::from_secs(2);

const ANSWER: Duration = Duration::from_millis(500);

/// Keeps the connections with all servers, for as long as it is polled.
pub(super) async fn keep(servers: &Servers, seeds: &[Endpoint]) {
    let mut kept = Kept::new();
    let mut keepers = JoinSet::new();
    let mut pauses = Pauses::new(FIRST_PAUSE, LONGEST_PAUSE);
    servers.condition().expect(PART);
    loop {
        let pause = match read(servers, seeds, &kept).await {
            Ok(shares) => {
                apply(servers, &shares, &mut kept, &mut keepers);
                servers.condition().found(PART, 0);
                pauses.reset();
                LOOK_AGAIN
            }
            Err(error) => {
                servers.condition().lost(PART, &error);
                pauses.next(rand::random())
            }
        };
        tokio::select! {
            () = sleep(pause) => {}
            () = servers.until_misplaced() => sleep(pauses.next(rand::random())).await,
            panicked = panicked(&mut keepers) => panic::resume_unwind(panicked),
        }
    }
}

/// Waits for the panic of a keeper. They never end by themselves, and a server without one would be away for good.
async fn panicked(keepers: &mut JoinSet<()>) -> Box<dyn Any + Send> {
    loop {
        match keepers.join_next().await {
            Some(Err(ended)) if ended.is_panic() => return ended.into_panic(),
            Some(_aborted) => {}
            None => pending().await,
        }
    }
}

/// Asks the servers one after the other, those that are known first.
async fn read(
    servers: &Servers,
    seeds: &[Endpoint],
    kept: &Kept,
) -> Result<Vec<Share>, EngineError> {
    let answering = kept.iter().filter(|(_, (node, _))| node.answers());
    let known = answering.map(|(endpoint, _)| endpoint);
    let mut failure = EngineError::NoServer;
    for endpoint in known.chain(seeds) {
        match ask(servers, endpoint).await {
            Ok(shares) => return Ok(shares),
            Err(error) => failure = error,
        }
    }
    Err(failure)
}

async fn ask(servers: &Servers, endpoint: &Endpoint) -> Result<Vec<Share>, EngineError> {
    let mut link = servers.manners().connect(endpoint, NO_PUSH).await?;
    let mut question = cmd("CLUSTER");
    question.arg("SLOTS");
    read_slots(&link.ask(&question, ANSWER).await?, endpoint)
}

/// Begins to keep servers that are new, and ends it for those that are gone.
fn apply(servers: &Servers, shares: &[Share], kept: &mut Kept, keepers: &mut JoinSet<()>) {
    kept.retain(|endpoint, (node, keeper)| {
        let stays = shares.iter().any(|share| share.endpoint == *endpoint);
        if !stays {
            keeper.abort();
            node.breaker.open();
            servers.condition().forget(node.name());
        }
        stays
    });
    let mut nodes = Vec::with_capacity(shares.len());
    for share in shares {
        let tag = share.own_tag().unwrap_or_default();
        let (node, _) = kept.entry(share.endpoint.clone()).or_insert_with(|| {
            let place = Place::Fixed(share.endpoint.clone());
            let node = servers.node(&place, &tag);
            let keeper = servers.keeper(Arc::clone(&node), place);
            (node, keepers.spawn(keeper.keep()))
        });
        node.set_probe_key(servers.probe_key(&tag));
        nodes.push((Arc::clone(node), share));
    }
    servers.set_routes(Routes::cluster(nodes));
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt;

    use super::*;

    #[tokio::test]
    async fn the_panic_of_a_keeper_is_seen_and_its_end_is_not() {
        let mut keepers = JoinSet::new();
        keepers.spawn(pending()).abort();
        tokio::task::yield_now().await;
        assert!(panicked(&mut keepers).now_or_never().is_none());
        keepers.spawn(async { panic!("a keeper") });
        let panicked = panicked(&mut keepers).await;
        assert_eq!(panicked.downcast_ref(), Some(&"a keeper"));
    }
}
