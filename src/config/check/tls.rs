//! TLS: files that the settings name, read and put to use.

mod client;
mod files;
mod listener;

pub(super) use client::client;
#[cfg(feature = "acme")]
pub(super) use client::directory;
pub(super) use files::Reported;
pub(super) use listener::listener;
