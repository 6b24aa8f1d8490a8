//! TLS: files that the settings name, read and put to use.

mod client;
mod files;
mod listener;

pub(super) use client::client;
pub(super) use listener::listener;
