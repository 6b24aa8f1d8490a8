//! Which server takes the next session.

use std::cmp::Ordering;
use std::net::IpAddr;
use std::sync::{Mutex, PoisonError};

use rand::{Rng, RngExt};

use crate::config::Balance;

/// A server that could take the session.
#[derive(Clone, Copy, Debug)]
pub(super) struct Candidate<'a> {
    /// Its place in the pool.
    pub(super) index: usize,
    pub(super) name: &'a str,
    pub(super) weight: u32,
    /// Open at this moment.
    pub(super) sessions: u32,
}

/// A way to pick, and what it has to remember from one pick to the next.
#[derive(Debug)]
pub(super) enum Balancer {
    LeastConnections(WeightedTurns),
    RoundRobin(WeightedTurns),
    RandomTwo,
    IpHash,
}

impl Balancer {
    /// For a pool of so many servers.
    pub(super) fn new(balance: Balance, servers: usize) -> Self {
        match balance {
            Balance::LeastConnections => Self::LeastConnections(WeightedTurns::new(servers)),
            Balance::RoundRobin => Self::RoundRobin(WeightedTurns::new(servers)),
            Balance::RandomTwo => Self::RandomTwo,
            Balance::IpHash => Self::IpHash,
        }
    }

    /// For the same pool after a reload: each server takes over from the one that stood at its
    /// origin, if it has one.
    pub(super) fn renewed(&self, balance: Balance, origins: &[Option<usize>]) -> Self {
        match (self, balance) {
            (Self::LeastConnections(turns), Balance::LeastConnections) => {
                Self::LeastConnections(turns.renewed(origins))
            }
            (Self::RoundRobin(turns), Balance::RoundRobin) => {
                Self::RoundRobin(turns.renewed(origins))
            }
            _ => Self::new(balance, origins.len()),
        }
    }

    /// The index of one of the candidates; `None` if there is no candidate.
    pub(super) fn pick(&self, candidates: &[Candidate<'_>], client: IpAddr) -> Option<usize> {
        match self {
            Self::LeastConnections(turns) => turns.next(&least_loaded(candidates)),
            Self::RoundRobin(turns) => turns.next(candidates),
            Self::RandomTwo => better_of_two(candidates, &mut rand::rng()),
            Self::IpHash => highest_score(candidates, client),
        }
    }
}

/// Smooth weighted round-robin, as nginx does it: a server of weight 2 among two of weight 1 gets
/// every second turn, and never two in a row that could have been spread.
///
/// Who is not a candidate keeps its place in the queue.
#[derive(Debug)]
pub(super) struct WeightedTurns {
    /// What each server of the pool is owed. It sums up to zero, or to less than one for each
    /// server after a reload.
    owed: Mutex<Vec<i64>>,
}

impl WeightedTurns {
    fn new(servers: usize) -> Self {
        Self {
            owed: Mutex::new(vec![0; servers]),
        }
    }

    fn renewed(&self, origins: &[Option<usize>]) -> Self {
        let old = self.owed.lock().unwrap_or_else(PoisonError::into_inner);
        let kept: Vec<i64> = origins
            .iter()
            .flatten()
            .map(|old_index| old[*old_index])
            .collect();
        // What is owed between those that stay and those that left is written off. Otherwise a
        // newcomer, which is owed nothing, would be behind or ahead of all the others together.
        let count = i64::try_from(kept.len()).unwrap_or(i64::MAX).max(1);
        let share = kept.iter().sum::<i64>() / count;
        let owed = origins.iter();
        let owed = owed.map(|origin| origin.map_or(0, |old_index| old[old_index] - share));
        Self {
            owed: Mutex::new(owed.collect()),
        }
    }

    fn next(&self, candidates: &[Candidate<'_>]) -> Option<usize> {
        let mut owed = self.owed.lock().unwrap_or_else(PoisonError::into_inner);
        let mut next = candidates.first()?.index;
        let mut paid = 0;
        for candidate in candidates {
            let weight = i64::from(candidate.weight);
            owed[candidate.index] += weight;
            paid += weight;
            if owed[candidate.index] > owed[next] {
                next = candidate.index;
            }
        }
        owed[next] -= paid;
        Some(next)
    }
}

/// All those with the fewest sessions for their weight: in a cold pool that is all of them.
fn least_loaded<'a>(candidates: &[Candidate<'a>]) -> Vec<Candidate<'a>> {
    let mut least: Vec<Candidate<'a>> = Vec::with_capacity(candidates.len());
    for candidate in candidates {
        let order = least.first().map(|first| by_load(candidate, first));
        match order {
            Some(Ordering::Greater) => continue,
            Some(Ordering::Less) => least.clear(),
            Some(Ordering::Equal) | None => {}
        }
        least.push(*candidate);
    }
    least
}

/// By sessions over weight, without the division.
fn by_load(one: &Candidate<'_>, other: &Candidate<'_>) -> Ordering {
    let one_load = u64::from(one.sessions) * u64::from(other.weight);
    let other_load = u64::from(other.sessions) * u64::from(one.weight);
    one_load.cmp(&other_load)
}

/// The power of two choices: two are drawn by weight, and the one with the lower load is taken.
/// It spreads nearly as well as looking at all of them, and two gates that share the servers do
/// not run to the same one.
fn better_of_two(candidates: &[Candidate<'_>], rng: &mut impl Rng) -> Option<usize> {
    let first = draw(candidates, None, rng)?;
    let second = draw(candidates, Some(first.index), rng).unwrap_or(first);
    match by_load(second, first) {
        Ordering::Less => Some(second.index),
        Ordering::Equal | Ordering::Greater => Some(first.index),
    }
}

/// One of the candidates but `besides`, each as probable as it is heavy.
fn draw<'a, 'b>(
    candidates: &'a [Candidate<'b>],
    besides: Option<usize>,
    rng: &mut impl Rng,
) -> Option<&'a Candidate<'b>> {
    let drawn = || {
        candidates
            .iter()
            .filter(|candidate| Some(candidate.index) != besides)
    };
    let total: u64 = drawn().map(|candidate| u64::from(candidate.weight)).sum();
    if total == 0 {
        return None;
    }
    let mut point = rng.random_range(0..total);
    drawn().find(|candidate| {
        let weight = u64::from(candidate.weight);
        let hit = point < weight;
        point = point.saturating_sub(weight);
        hit
    })
}

/// Weighted rendezvous hashing: each client has an order of its own over all servers, and takes
/// the first that it can have. A server that goes away moves no client but its own, and those
/// spread over all that are left.
fn highest_score(candidates: &[Candidate<'_>], client: IpAddr) -> Option<usize> {
    candidates
        .iter()
        .map(|candidate| (candidate.index, score(candidate, client)))
        .reduce(|best, next| if next.1 > best.1 { next } else { best })
        .map(|(index, _)| index)
}

/// `weight / -ln(u)` with `u` uniform between 0 and 1: the highest of such scores falls to each
/// server in proportion to its weight.
fn score(candidate: &Candidate<'_>, client: IpAddr) -> f64 {
    let hash = hash(candidate.name, client);
    // The upper 53 bits are what an f64 holds exactly; the half keeps it off 0 and 1.
    let uniform = ((hash >> 11) as f64 + 0.5) / (1u64 << 53) as f64;
    f64::from(candidate.weight) / -uniform.ln()
}

/// FNV-1a with MurmurHash3's finalizer. The hash of the standard library may change with the
/// compiler, and then two releases side by side would send one client to two servers.
fn hash(server: &str, client: IpAddr) -> u64 {
    let mut hash: u64 = 0xcbf2_9ce4_8422_2325;
    let mut add = |bytes: &[u8]| {
        for byte in bytes {
            hash = (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3);
        }
    };
    add(server.as_bytes());
    // No name holds this byte, so a name and an address never run into each other.
    add(&[0xff]);
    match client.to_canonical() {
        IpAddr::V4(address) => add(&address.octets()),
        IpAddr::V6(address) => add(&address.octets()),
    }
    hash ^= hash >> 33;
    hash = hash.wrapping_mul(0xff51_afd7_ed55_8ccd);
    hash ^= hash >> 33;
    hash = hash.wrapping_mul(0xc4ce_b9fe_1a85_ec53);
    hash ^ (hash >> 33)
}

#[cfg(test)]
mod tests;
