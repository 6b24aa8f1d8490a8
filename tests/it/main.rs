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

mod channels;
#[cfg(feature = "server")]
mod client_tls;
mod embedding;
mod examples;
#[cfg(feature = "server")]
mod forward_auth;
mod forwarding;
mod handover;
mod handshake;
#[cfg(feature = "server")]
mod issuer_keys;
#[cfg_attr(
    not(feature = "server"),
    allow(
        dead_code,
        unused_imports,
        reason = "some of it is for tests of the program only"
    )
)]
mod kit;
mod layering;
mod operations;
mod per_subject;
mod plain_requests;
mod plugin;
#[cfg(feature = "http2")]
mod plugin_http2;
mod policy;
mod relay;
mod revocation;
mod seams;
#[cfg(feature = "server")]
mod shared;
#[cfg(feature = "server")]
mod shared_channels;
mod timeouts;
#[cfg(feature = "server")]
mod tls_records;
#[cfg(feature = "http2")]
mod upstream_http2;
#[cfg(feature = "server")]
mod upstream_proxy_header;
#[cfg(feature = "server")]
mod upstream_tls;
mod upstreams;
