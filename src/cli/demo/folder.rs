//! A folder of the demo's own, for its admin socket.

use std::fs::DirBuilder;
use std::io;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

/// A folder that only this user can enter. It goes with the process.
pub(super) struct PrivateFolder(PathBuf);

impl PrivateFolder {
    pub(super) fn create() -> io::Result<Self> {
        let name = format!("wsgate-demo-{:08x}", rand::random::<u32>());
        let path = std::env::temp_dir().join(name);
        // It fails where somebody was there first.
        DirBuilder::new().mode(0o700).create(&path)?;
        Ok(Self(path))
    }

    pub(super) fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for PrivateFolder {
    fn drop(&mut self) {
        // What is left is an empty folder in the system's place for what nobody needs.
        let _removed = std::fs::remove_dir_all(&self.0);
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn a_folder_is_this_users_alone_and_goes() {
        let folder = PrivateFolder::create().unwrap();
        let path = folder.path().to_owned();
        let mode = path.metadata().unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o700);
        std::fs::write(path.join("admin.sock"), "").unwrap();
        drop(folder);
        assert!(!path.exists());
    }
}
