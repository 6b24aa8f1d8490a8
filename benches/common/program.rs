//! The program as its users build it.

use std::io::{self, BufRead, BufReader};
use std::path::PathBuf;
use std::process::{Command, Stdio};

/// Builds wsgate's release and says where it is.
///
/// The one that cargo builds beside a benchmark is another: its libraries have the features that the
/// tests ask for, and tokio's clock that tests can stop costs something for every frame.
pub(crate) fn wsgate() -> io::Result<PathBuf> {
    let mut cargo = Command::new(option_env!("CARGO").unwrap_or("cargo"))
        .args(["build", "--release", "--bin", "wsgate"])
        .args([
            "--manifest-path",
            concat!(env!("CARGO_MANIFEST_DIR"), "/Cargo.toml"),
        ])
        .args(["--message-format", "json-render-diagnostics"])
        .stdout(Stdio::piped())
        .spawn()?;
    let mut program = None;
    for line in cargo
        .stdout
        .take()
        .into_iter()
        .flat_map(|told| BufReader::new(told).lines())
    {
        let message: serde_json::Value = serde_json::from_str(&line?)?;
        if let Some(path) = message["executable"].as_str() {
            program = Some(PathBuf::from(path));
        }
    }
    let status = cargo.wait()?;
    match program {
        Some(program) if status.success() => Ok(program),
        _ => Err(io::Error::other(format!("cargo build: {status}"))),
    }
}
