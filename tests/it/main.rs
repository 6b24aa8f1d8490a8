//! The integration tests: one binary, a module a topic.
#![allow(
    clippy::expect_used,
    clippy::unwrap_used,
    reason = "a helper that fails is a test that fails"
)]

#[cfg(feature = "server")]
mod hostile;
#[cfg(feature = "server")]
mod program;
#[cfg(feature = "server")]
mod settings;

mod answers;
mod examples;
mod forwarding;
mod handover;
mod handshake;
mod layering;
mod operations;
mod plugin;
mod policy;
mod relay;
mod support;
mod timeouts;
mod upstreams;
