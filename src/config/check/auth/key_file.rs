//! `[route.auth.keys]`: a file with the hash of each key.

use std::collections::HashMap;
use std::path::Path;
use std::sync::Arc;

use data_encoding::HEXLOWER_PERMISSIVE;

use crate::config::check::tls;
use crate::config::checked::auth::KeyHashes;
use crate::config::report::{Node, Report};
use crate::config::settings::KeyFile;
use crate::config::values::{Name, Text, ValueError};

/// Reads the file that the table names.
pub(super) fn key_hashes(
    settings: &KeyFile,
    node: &Node<'_>,
    directory: &Path,
    report: &mut Report<'_>,
) -> Option<KeyHashes> {
    let Some(file) = &settings.file else {
        report.missing(node, "file");
        return None;
    };
    let node = node.get("file");
    let contents = tls::read_file(file, &node, directory, report)?;
    let hashes = parse(&contents);
    hashes
        .map_err(|problem| {
            let place = file.display();
            let problem = ValueError::new(format!("{place} cannot be used: {problem}"));
            report.error(&node, problem.help(FORM));
        })
        .ok()
}

const FORM: &str = "a line is `name = sha256:HEX`, and HEX what `printf %s KEY | sha256sum` prints";

/// Reads the lines of a file. What the error says repeats nothing of them: a key may stand there as it is.
fn parse(contents: &[u8]) -> Result<KeyHashes, String> {
    let text = std::str::from_utf8(contents).map_err(|_| "it is not UTF-8".to_owned())?;
    let mut hashes = HashMap::new();
    for (index, line) in text.lines().enumerate() {
        let number = index + 1;
        let line = line.trim();
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        let (name, hash) = line
            .split_once('=')
            .ok_or_else(|| format!("line {number} has no `=`"))?;
        let name = Name::parse(name.trim())
            .map_err(|_| format!("line {number} does not begin with a name"))?;
        let hash = hash.trim().strip_prefix("sha256:");
        let hash = hash.and_then(|hash| HEXLOWER_PERMISSIVE.decode(hash.as_bytes()).ok());
        let hash = hash.and_then(|hash| <[u8; 32]>::try_from(hash).ok());
        let hash = hash.ok_or_else(|| format!("line {number} has no SHA-256 behind its `=`"))?;
        if hash == SHA256_OF_NOTHING {
            return Err(format!("line {number} has the hash of an empty key"));
        }
        if hashes.insert(hash, Arc::from(name)).is_some() {
            return Err(format!("line {number} has the key of an earlier line"));
        }
    }
    Ok(KeyHashes(hashes))
}

/// What a variable that is not set comes to.
const SHA256_OF_NOTHING: [u8; 32] = [
    0xe3, 0xb0, 0xc4, 0x42, 0x98, 0xfc, 0x1c, 0x14, 0x9a, 0xfb, 0xf4, 0xc8, 0x99, 0x6f, 0xb9, 0x24,
    0x27, 0xae, 0x41, 0xe4, 0x64, 0x9b, 0x93, 0x4c, 0xa4, 0x95, 0x99, 0x1b, 0x78, 0x52, 0xb8, 0x55,
];

#[cfg(test)]
mod tests {
    use super::*;

    const HASH: &str = "2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824";

    #[test]
    fn a_line_is_a_name_and_a_hash() {
        let text = format!(
            "# devices\n\n billing = sha256:{HASH}\r\nother=sha256:{}\n",
            HASH.to_uppercase().replace("2CF2", "0000")
        );
        let hashes = parse(text.as_bytes()).unwrap();
        let hello = HEXLOWER_PERMISSIVE.decode(HASH.as_bytes()).unwrap();
        let hello = <[u8; 32]>::try_from(hello).unwrap();
        assert_eq!(hashes.name(&hello).map(|name| &**name), Some("billing"));
        assert_eq!(hashes.name(&[0; 32]), None);
        assert_eq!(hashes.0.len(), 2);
        assert!(parse(b"").unwrap().0.is_empty());
    }

    #[test]
    fn a_wrong_line_is_named_and_not_repeated() {
        for (text, message) in [
            ("canary", "line 1 has no `=`"),
            (
                "\na canary = sha256:00",
                "line 2 does not begin with a name",
            ),
            ("a = canary", "line 1 has no SHA-256"),
            ("a = sha256:canary", "line 1 has no SHA-256"),
            ("a = sha512:00", "line 1 has no SHA-256"),
        ] {
            let error = parse(text.as_bytes()).unwrap_err();
            assert!(error.contains(message), "{text}: {error}");
            assert!(!error.contains("canary"), "{error}");
        }
        let twice = format!("a = sha256:{HASH}\nb = sha256:{HASH}");
        assert!(
            parse(twice.as_bytes())
                .unwrap_err()
                .contains("earlier line")
        );
        let empty = "a = sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
        assert!(parse(empty.as_bytes()).unwrap_err().contains("empty key"));
    }
}
