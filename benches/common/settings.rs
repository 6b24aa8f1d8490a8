//! The settings that a proxy is started with.

use std::io;
use std::net::SocketAddr;
use std::path::Path;

use super::process::free_address;

/// wsgate's: every policy that a public deployment would have.
pub(crate) const WSGATE: &str = include_str!("../compare/peers/wsgate.toml");

/// What a fan-out needs behind those: all sessions are in one channel.
pub(crate) const PUBLISH: &str = include_str!("../compare/peers/publish.toml");

/// Puts addresses and the directory in the place of `${BENCH_…}`.
pub(crate) fn fill_in(
    settings: &str,
    listen: SocketAddr,
    backend: SocketAddr,
    directory: &Path,
) -> io::Result<String> {
    let admin = free_address()?;
    let values = [
        ("LISTEN", listen.to_string()),
        ("LISTEN_HOST", listen.ip().to_string()),
        ("LISTEN_PORT", listen.port().to_string()),
        ("BACKEND", backend.to_string()),
        ("BACKEND_HOST", backend.ip().to_string()),
        ("BACKEND_PORT", backend.port().to_string()),
        ("ADMIN", admin.to_string()),
        ("DIRECTORY", directory.display().to_string()),
    ];
    let fill = |text: String, (name, value): &(&str, String)| {
        text.replace(&format!("${{BENCH_{name}}}"), value)
    };
    Ok(values.iter().fold(settings.to_owned(), fill))
}
