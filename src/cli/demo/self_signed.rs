//! A certificate for one run of the demo.

use std::fs::OpenOptions;
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use rcgen::{CertificateParams, DnType, ExtendedKeyUsagePurpose, KeyPair};

/// The files of a certificate that is signed with its own key.
#[derive(Clone, Debug)]
pub(super) struct SelfSigned {
    cert: PathBuf,
    key: PathBuf,
}

const DAY: Duration = Duration::from_secs(24 * 60 * 60);

/// What a browser on this machine may call the demo.
const NAMES: [&str; 3] = ["localhost", "127.0.0.1", "::1"];

impl SelfSigned {
    /// Makes a key and its certificate, and writes them into files of this folder.
    pub(super) fn write_into(folder: &Path) -> io::Result<Self> {
        let mut parameters =
            CertificateParams::new(NAMES.map(str::to_owned)).map_err(io::Error::other)?;
        let subject = &mut parameters.distinguished_name;
        subject.push(DnType::CommonName, "wsgate demo");
        // Some browsers take no certificate of many years, or of any purpose.
        let now = SystemTime::now();
        parameters.not_before = (now - DAY).into();
        parameters.not_after = (now + DAY * 30).into();
        parameters.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        let key = KeyPair::generate().map_err(io::Error::other)?;
        let certificate = parameters.self_signed(&key).map_err(io::Error::other)?;
        let files = Self {
            cert: folder.join("demo.pem"),
            key: folder.join("demo.key"),
        };
        write(&files.cert, &certificate.pem())?;
        write(&files.key, &key.serialize_pem())?;
        Ok(files)
    }

    /// The table of a listener that shows it.
    pub(super) fn table(&self) -> String {
        let [cert, key] = [&self.cert, &self.key].map(|file| {
            // A string of TOML, whatever the temporary folder is called.
            file.display().to_string().escape_default().to_string()
        });
        format!("[listen.tls]\ncertificates = [{{ cert = \"{cert}\", key = \"{key}\" }}]\n")
    }

    /// The file of the certificate.
    pub(super) fn cert(&self) -> &Path {
        &self.cert
    }
}

/// Writes a new file that only this user can read.
fn write(file: &Path, text: &str) -> io::Result<()> {
    let new = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(file);
    new?.write_all(text.as_bytes())
}
