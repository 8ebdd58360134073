//! A folder of this program's own under /tmp, gone at the end.

use std::ffi::CString;
use std::path::{Path, PathBuf};

/// Removed, with what is in it, when dropped.
pub struct Scratch(PathBuf);

impl Scratch {
    #[track_caller]
    pub fn new(name: &str) -> Self {
        let path = PathBuf::from(format!("/tmp/braid-{name}-{}", std::process::id()));
        crate::done("making a folder in /tmp", std::fs::create_dir(&path));
        Scratch(path)
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }

    /// For raw calls.
    pub fn c(&self, name: &str) -> CString {
        c(&self.path(name))
    }

    #[track_caller]
    pub fn file(&self, name: &str, content: &[u8], mode: u32) -> PathBuf {
        use std::os::unix::fs::PermissionsExt;
        let path = self.path(name);
        crate::done("writing a file", std::fs::write(&path, content));
        crate::done("chmod", std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)));
        path
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _leftovers_do_no_harm = std::fs::remove_dir_all(&self.0);
    }
}

/// A path for raw calls.
pub fn c(path: &Path) -> CString {
    CString::new(path.as_os_str().as_encoded_bytes()).unwrap_or_default()
}
