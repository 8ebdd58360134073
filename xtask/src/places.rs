//! Where things lie: the tree's own folders and everything that is built.

use std::path::{Path, PathBuf};

/// The folder that holds the workspace.
pub fn workspace() -> PathBuf {
    let own = std::env::var_os("CARGO_MANIFEST_DIR").map_or_else(|| PathBuf::from(env!("CARGO_MANIFEST_DIR")), PathBuf::from);
    own.parent().map_or_else(|| own.clone(), Path::to_path_buf)
}

/// Everything built goes below this folder: `target`, or what CARGO_TARGET_DIR says.
pub fn target() -> PathBuf {
    match std::env::var_os("CARGO_TARGET_DIR") {
        Some(folder) if !folder.is_empty() => workspace().join(folder),
        _ => workspace().join("target"),
    }
}

/// The kernel is built apart from the host's crates: other compiler, other flags.
pub fn kernel_target() -> PathBuf {
    target().join("kernel")
}

/// The static Linux programs of `tests/linux`, likewise.
pub fn programs_target() -> PathBuf {
    target().join("linux-programs")
}

/// What is left of the runs of `soak` that failed.
pub fn failed_soaks() -> PathBuf {
    target().join("soak")
}

/// What one run of a virtual machine reads and leaves behind.
pub fn machine_files() -> PathBuf {
    target().join("vm")
}

/// The same for the run that this process is: two at once share nothing.
pub fn own_machine_files() -> PathBuf {
    machine_files().join(format!("{RUN}{}", std::process::id()))
}

/// How the folders of single runs are named; the process's number follows.
pub const RUN: &str = "run-";
