//! File descriptors: how many there are, and how sessions and other connections share them.
//!
//! ```text
//! limit = sessions, two each + the process itself + connections that are not sessions
//! ```

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// What sessions leave to the process itself and to connections that are not sessions.
const RESERVE: u64 = 200;

/// Standard streams, listeners and their reserves, name look-ups, and some to spare.
const PROCESS: u64 = 16;

/// Connections at once that are refused and not closed yet.
pub(crate) const REFUSALS: usize = 4;

/// The most connections to the admin interface at once.
const MOST_ADMIN: u64 = 64;

/// The least that there may be of them, however small the limit is.
const LEAST_ADMIN: u64 = 4;

/// The most connections to the publish interface at once.
const MOST_PUBLISH: u64 = 1024;

/// The least that there may be of them.
const LEAST_PUBLISH: u64 = 8;

/// The descriptors of a runtime.
const PER_RUNTIME: u64 = 4;

/// The least that is left to connections that are not sessions.
const LEAST_OTHERS: u64 = 16;

/// A session holds a socket on either side.
const PER_SESSION: u64 = 2;

/// Raises the soft limit to the hard one, and returns the limit that holds; `None` is no limit.
fn raise_limit() -> Option<u64> {
    let Rlimit { current, maximum } = getrlimit(Resource::Nofile);
    if current == maximum {
        return current;
    }
    let raised = Rlimit {
        current: maximum,
        maximum,
    };
    match setrlimit(Resource::Nofile, raised) {
        Ok(()) => maximum,
        Err(error) => {
            tracing::warn!(%error, "the limit on open files could not be raised");
            current
        }
    }
}

/// What the process itself needs, its interfaces included.
fn reserved(limit: u64, workers: usize, has_publish: bool) -> u64 {
    let runtimes = u64::try_from(workers).unwrap_or(u64::MAX).saturating_add(1);
    let publish = match has_publish {
        true => publish_connections(limit),
        false => 0,
    };
    (PROCESS + REFUSALS as u64)
        .saturating_add(runtimes.saturating_mul(PER_RUNTIME))
        .saturating_add(admin_connections(limit))
        .saturating_add(publish)
}

fn publish_connections(limit: u64) -> u64 {
    (limit / 16).clamp(LEAST_PUBLISH, MOST_PUBLISH)
}

fn admin_connections(limit: u64) -> u64 {
    (limit / 32).clamp(LEAST_ADMIN, MOST_ADMIN)
}

/// How many sessions there may be at once where the process may open `limit` descriptors: as many as fit,
/// and no more than `wanted` unless that is 0.
fn sessions(wanted: usize, limit: Option<u64>, workers: usize, has_publish: bool) -> usize {
    let fit = match limit {
        // Of a small limit a tenth is kept back.
        Some(limit) => {
            let least = reserved(limit, workers, has_publish).saturating_add(LEAST_OTHERS);
            let reserve = RESERVE.min(limit / 10).max(least);
            let fit = limit.saturating_sub(reserve) / PER_SESSION;
            usize::try_from(fit).unwrap_or(usize::MAX).max(1)
        }
        None => usize::MAX,
    };
    match wanted {
        0 => fit,
        wanted => wanted.min(fit),
    }
}

/// A warning about settings that want more sessions than this process could have.
pub(crate) fn check(wanted: usize, workers: usize, has_publish: bool) -> Option<String> {
    let limit = getrlimit(Resource::Nofile).maximum;
    let sessions = sessions(wanted, limit, workers, has_publish);
    let limit = limit.filter(|_| wanted > sessions)?;
    Some(format!(
        "server.sessions: {wanted} are more than the limit on open files ({limit}) allows: no more than \
         {sessions} sessions are accepted at a time"
    ))
}

/// The most sessions where the settings want so many, and the budget of all connections.
pub(crate) fn shares(wanted: usize, workers: usize, has_publish: bool) -> (usize, Budget) {
    let limit = raise_limit();
    let sessions = sessions(wanted, limit, workers, has_publish);
    if wanted > sessions {
        tracing::warn!(
            wanted,
            sessions,
            descriptors = limit,
            "`server.sessions` is more than the limit on open files allows"
        );
    }
    (sessions, Budget::new(limit, sessions, workers, has_publish))
}

/// The descriptors of connections and sessions together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Budget {
    /// The most that may be taken.
    most: usize,
    /// From here on idle connections are evicted.
    mark: usize,
    /// The most connections to the admin interface, which are not among them.
    admin: usize,
    /// The most connections to the publish interface, which are not either.
    publish: usize,
}

impl Budget {
    pub(crate) fn new(
        limit: Option<u64>,
        sessions: usize,
        workers: usize,
        has_publish: bool,
    ) -> Self {
        let Some(limit) = limit else {
            return Self {
                most: usize::MAX,
                mark: usize::MAX,
                admin: MOST_ADMIN as usize,
                publish: MOST_PUBLISH as usize,
            };
        };
        let most = limit.saturating_sub(reserved(limit, workers, has_publish));
        let most = usize::try_from(most)
            .unwrap_or(usize::MAX)
            .max(LEAST_OTHERS as usize);
        // Evictions take a moment, in which more connections come. With all sessions open the margin for
        // that is only a part of what they leave.
        let others = most.saturating_sub(Self::of_sessions(sessions));
        let ahead = (most / 16).min(others / 4).max(1);
        let mark = most - ahead;
        let admin = admin_connections(limit) as usize;
        let publish = publish_connections(limit) as usize;
        Self {
            most,
            mark,
            admin,
            publish,
        }
    }

    pub(crate) fn most(&self) -> usize {
        self.most
    }

    /// The most with which a connection is admitted: the rest is for requests on open connections.
    pub(crate) fn most_accepted(&self) -> usize {
        self.most - (self.most - self.mark) / 2
    }

    pub(crate) fn mark(&self) -> usize {
        self.mark
    }

    /// The most connections to the admin interface at once.
    pub(crate) fn admin_connections(&self) -> usize {
        self.admin
    }

    /// The most connections to the publish interface at once.
    pub(crate) fn publish_connections(&self) -> usize {
        self.publish
    }

    /// The descriptors of so many sessions.
    pub(crate) fn of_sessions(sessions: usize) -> usize {
        sessions.saturating_mul(PER_SESSION as usize)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_session_takes_two_descriptors_and_some_are_kept_back() {
        for (wanted, limit, expected) in [
            (0, Some(20_000), 9_900),
            (0, Some(1_024), 461),
            (0, Some(64), 6),
            (0, Some(8), 1),
            (0, None, usize::MAX),
            (100, Some(20_000), 100),
            // The smaller of both.
            (50_000, Some(20_000), 9_900),
            (1_000, Some(64), 6),
        ] {
            assert_eq!(
                sessions(wanted, limit, 2, false),
                expected,
                "{wanted} of {limit:?}"
            );
        }
        let many_cores = sessions(0, Some(20_000), 128, false);
        assert!(many_cores < 9_900, "{many_cores}");
    }

    #[test]
    fn other_connections_have_what_sessions_leave_and_are_evicted_before_that_is_used_up() {
        for (limit, wanted, most, mark) in [
            // All sessions take 19,800 of them.
            (20_000, 0, 19_904, 19_878),
            (20_000, 100, 19_904, 18_660),
            (1_024, 0, 960, 951),
            // More than the limit allows.
            (1_024, 5_000, 960, 951),
            (64, 0, 28, 27),
            (64, 1_000, 28, 27),
        ] {
            let sessions = sessions(wanted, Some(limit), 2, false);
            let budget = Budget::new(Some(limit), sessions, 2, false);
            let descriptors = Budget::of_sessions(sessions);
            assert!(descriptors < budget.mark(), "{wanted} of {limit}");
            let found = (budget.most(), budget.mark());
            assert_eq!(found, (most, mark), "{wanted} of {limit}");
        }
        assert_eq!(Budget::new(None, usize::MAX, 2, false).mark(), usize::MAX);
    }

    #[test]
    fn publishers_take_descriptors_of_sessions_and_others_only_if_they_may_come() {
        for (limit, connections, fewer) in [(20_000, 1_024, 468), (1_024, 64, 21), (64, 8, 4)] {
            let [without, with] = [false, true].map(|has_publish| {
                let sessions = sessions(0, Some(limit), 2, has_publish);
                let budget = Budget::new(Some(limit), sessions, 2, has_publish);
                assert_eq!(budget.publish_connections(), connections, "of {limit}");
                assert!(Budget::of_sessions(sessions) < budget.mark(), "of {limit}");
                sessions
            });
            assert_eq!(without - with, fewer, "of {limit}");
        }
    }

    #[test]
    fn the_soft_limit_becomes_the_hard_one() {
        let limit = raise_limit();
        assert_eq!(getrlimit(Resource::Nofile).current, limit);
        assert_eq!(limit, getrlimit(Resource::Nofile).maximum);
    }
}
