//! Root, working directory and umask of a process.
//!
//! Invariant: both places are directories; the lock is held only to copy them out or in.

use core::mem;

use libkernel::census::{Census, Counted};
use sync::{SpinLock, TaskContext, order};

use super::mount::Location;

struct Places {
    root: Location,
    working: Location,
    umask: u32,
}

/// Roots and working directories.
pub static LIVING: Census = Census::new("file system contexts");

/// Where a process starts when it follows a path, shared by tasks that ask for it (`CLONE_FS`).
pub struct FileSystemContext {
    _counted: Counted,
    places: SpinLock<Places, order::FileSystemContext>,
}

impl FileSystemContext {
    /// Root and working directory at the same place, umask 022.
    pub fn new(root: Location) -> Self {
        Self { _counted: LIVING.count(), places: SpinLock::new(Places { working: root.clone(), root, umask: 0o022 }) }
    }

    /// A copy that changes on its own from now on (`fork`).
    pub fn duplicate(&self, cx: &TaskContext) -> Self {
        let places = self.places.lock(cx);
        Self {
            _counted: LIVING.count(),
            places: SpinLock::new(Places { root: places.root.clone(), working: places.working.clone(), umask: places.umask }),
        }
    }

    /// Where absolute paths start.
    pub fn root(&self, cx: &TaskContext) -> Location {
        self.places.lock(cx).root.clone()
    }

    /// Where other paths start.
    pub fn working(&self, cx: &TaskContext) -> Location {
        self.places.lock(cx).working.clone()
    }

    /// Permission bits that new files do not get.
    pub fn umask(&self, cx: &TaskContext) -> u32 {
        self.places.lock(cx).umask
    }

    /// Sets the umask and tells the one before.
    pub fn set_umask(&self, cx: &TaskContext, umask: u32) -> u32 {
        mem::replace(&mut self.places.lock(cx).umask, umask & 0o777)
    }

    /// Sets the working directory.
    pub fn set_working(&self, cx: &TaskContext, place: Location) {
        let before = mem::replace(&mut self.places.lock(cx).working, place);
        drop(before);
    }

    /// Sets the root.
    pub fn set_root(&self, cx: &TaskContext, place: Location) {
        let before = mem::replace(&mut self.places.lock(cx).root, place);
        drop(before);
    }
}
