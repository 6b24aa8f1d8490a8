//! What a reload changed.

use std::fmt::Display;

use crate::Reloaded;
use crate::server::listener::address::BoundAddress;

/// What a reload of the program changed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Applied {
    /// What changed of the gate itself.
    pub gate: Reloaded,
    /// Addresses on which it listens now.
    pub listeners_added: Vec<BoundAddress>,
    /// Addresses on which it no longer listens.
    pub listeners_removed: Vec<BoundAddress>,
    /// Other keys and tables with new values.
    pub keys: Vec<&'static str>,
    /// Keys with new values that take effect only after a restart. Each reload names them until then.
    pub needs_restart: Vec<&'static str>,
}

impl Applied {
    /// Whether nothing changed.
    pub fn is_unchanged(&self) -> bool {
        let unchanged = Self {
            needs_restart: self.needs_restart.clone(),
            ..Self::default()
        };
        *self == unchanged
    }

    pub(super) fn key(&mut self, key: &'static str, has_changed: bool) {
        if has_changed {
            self.keys.push(key);
        }
    }

    pub(super) fn restart(&mut self, key: &'static str, has_changed: bool) {
        if has_changed && !self.needs_restart.contains(&key) {
            self.needs_restart.push(key);
        }
    }

    /// Adds the keys that the gate has changed beside its routes.
    pub(super) fn name_keys(&mut self) {
        for (key, has_changed) in [
            ("route (order)", self.gate.routes_reordered),
            ("upstream", self.gate.spare_upstreams_changed),
            ("drain", self.gate.drain_changed),
            ("shared", self.gate.shared_changed),
            ("client_ip", self.gate.client_ip_changed),
            (
                "client_ip (limits per address begin anew)",
                self.gate.rates_reset,
            ),
        ] {
            self.key(key, has_changed);
        }
    }

    /// One line of the log; fields that would be empty are left out.
    pub(super) fn log(&self, trigger: &str) {
        let needs_restart = words(&self.needs_restart);
        if self.is_unchanged() {
            tracing::info!(
                reason = "reload_unchanged",
                trigger,
                needs_restart,
                "settings unchanged"
            );
            return;
        }
        let sent_away = self.gate.sessions_sent_away;
        tracing::info!(
            reason = "reload_ok",
            trigger,
            routes_added = words(&self.gate.routes_added),
            routes_removed = words(&self.gate.routes_removed),
            routes_changed = words(&self.gate.routes_changed),
            sessions_sent_away = (sent_away > 0).then_some(sent_away),
            listeners_added = words(&self.listeners_added),
            listeners_removed = words(&self.listeners_removed),
            keys = words(&self.keys),
            needs_restart,
            "settings reloaded"
        );
    }
}

fn words(words: &[impl Display]) -> Option<String> {
    let texts: Vec<_> = words.iter().map(ToString::to_string).collect();
    (!texts.is_empty()).then(|| texts.join(", "))
}
