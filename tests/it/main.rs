//! The integration tests: one binary, a module a topic.

#[cfg(feature = "server")]
mod settings;
