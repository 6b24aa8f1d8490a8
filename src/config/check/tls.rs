//! TLS: files that the settings name, read and put to use.

mod client;
mod files;
mod listener;

pub(super) use client::client;
#[cfg(any(feature = "acme", feature = "auth", feature = "shared"))]
pub(super) use client::client_of_urls;
pub(super) use files::Reported;
#[cfg(feature = "auth")]
pub(super) use files::read_file;
pub(super) use listener::listener;
