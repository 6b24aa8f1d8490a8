//! The channels of a route's sessions, in the words of the summary.

use crate::config::checked::channels::ChannelRules;
use crate::config::values::size;

/// The channels from the start; then what differs from the defaults.
pub(super) fn words(rules: &ChannelRules, join: &[String]) -> Vec<String> {
    let default = ChannelRules::default();
    let mut words = join.to_vec();
    if rules.upstream_header {
        words.push("more by the upstream".to_owned());
    }
    if rules.queue != default.queue {
        let queue = u64::try_from(rules.queue).unwrap_or(u64::MAX);
        words.push(format!("queue {}", size::written(queue)));
    }
    if rules.on_slow != default.on_slow {
        words.push(format!("else {}", rules.on_slow));
    }
    if rules.retain > 0 {
        words.push(format!("retain {}", rules.retain));
    }
    words
}
