//! File descriptors: how many there are, and how many sessions that makes.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// What the process needs beside its sessions: listeners, logs, runtimes, connections that are
/// not sessions yet or never will be.
const RESERVE: u64 = 200;

/// A session holds a socket on either side.
const PER_SESSION: u64 = 2;

/// Raises the soft limit to the hard one, and returns the limit that holds; `None` is no limit.
pub(super) fn raise_limit() -> Option<u64> {
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

/// How many sessions there may be at once: as many as were asked for (0: as many as fit), where
/// the process may open `limit` descriptors.
pub(super) fn sessions(wanted: usize, limit: Option<u64>) -> usize {
    let fit = match limit {
        // A small limit keeps a tenth of itself back.
        Some(limit) => {
            let reserve = RESERVE.min(limit / 10).max(32);
            let fit = limit.saturating_sub(reserve) / PER_SESSION;
            usize::try_from(fit).unwrap_or(usize::MAX).max(1)
        }
        None => usize::MAX,
    };
    if wanted > fit {
        tracing::warn!(
            wanted,
            fit,
            "`server.sessions` is more than the limit on open files allows"
        );
    }
    match wanted {
        0 => fit,
        wanted => wanted,
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
            (0, Some(64), 16),
            (0, Some(8), 1),
            (0, None, usize::MAX),
            (100, Some(20_000), 100),
            (50_000, Some(20_000), 50_000),
        ] {
            assert_eq!(sessions(wanted, limit), expected, "{wanted} of {limit:?}");
        }
    }

    #[test]
    fn the_soft_limit_becomes_the_hard_one() {
        let limit = raise_limit();
        assert_eq!(getrlimit(Resource::Nofile).current, limit);
        assert_eq!(limit, getrlimit(Resource::Nofile).maximum);
    }
}
