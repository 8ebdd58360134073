//! OpenFile: one opening of a file, shared by the descriptors that were made from it.
//!
//! Invariant: `position` is held during a read or write that moves it, so two such calls never see the same bytes.

use alloc::sync::Arc;

use abi::Errno;
use abi::constant::{O_ACCMODE, O_APPEND, O_ASYNC, O_DIRECT, O_NOATIME, O_NONBLOCK, O_PATH, O_RDONLY, O_RDWR, O_WRONLY};
use libkernel::census::{Census, Counted};
use libkernel::wait::Mutex;
use sync::{Published, TaskContext, order};

use super::file::{File, Manner};
use super::{record_locks, whole_locks};
use crate::credentials::Credentials;
use crate::fs::buffer::{Sink, Source};
use crate::fs::node::{Kind, Place};
use crate::fs::{Attributes, Change, Found, permission};

/// Flags that `F_SETFL` may change.
const CHANGEABLE: u32 = O_APPEND | O_NONBLOCK | O_ASYNC | O_DIRECT | O_NOATIME;

/// What an opening may be used for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Access {
    /// Reading.
    pub read: bool,
    /// Writing.
    pub write: bool,
}

impl Access {
    /// As the flags of `open(2)` ask.
    pub fn of_flags(flags: u32) -> Self {
        if flags & O_PATH != 0 {
            return Self { read: false, write: false };
        }
        match flags & O_ACCMODE {
            O_RDONLY => Self { read: true, write: false },
            O_WRONLY => Self { read: false, write: true },
            O_RDWR => Self { read: true, write: true },
            _ => Self { read: false, write: false },
        }
    }

    /// The permission bits it takes.
    pub fn wanted(self) -> u32 {
        let read = if self.read { permission::READ } else { 0 };
        let write = if self.write { permission::WRITE } else { 0 };
        read | write
    }
}

/// Openings, as long as any descriptor or call has them.
pub static LIVING: Census = Census::new("open files");

/// One opening of a file.
pub struct OpenFile {
    _counted: Counted,
    file: Arc<dyn File>,
    access: Access,
    flags: Published<u32>,
    position: Mutex<u64, order::FilePosition>,
    found: Option<Found>,
    credentials: Arc<Credentials>,
}

impl OpenFile {
    /// An opening with the flags of `open(2)`; `found` is the path it was opened by, if any.
    pub fn new(file: Arc<dyn File>, flags: u32, found: Option<Found>, credentials: Arc<Credentials>) -> Arc<Self> {
        let access = Access::of_flags(flags);
        Arc::new(Self {
            _counted: LIVING.count(),
            file,
            access,
            flags: Published::<u32>::new(flags),
            position: Mutex::new(0),
            found,
            credentials,
        })
    }

    /// The behaviour behind it.
    pub fn file(&self) -> &Arc<dyn File> {
        &self.file
    }

    /// What it may be used for.
    pub fn access(&self) -> Access {
        self.access
    }

    /// The path it was opened by.
    pub fn found(&self) -> Option<&Found> {
        self.found.as_ref()
    }

    /// With whose rights it was opened.
    pub fn credentials(&self) -> &Arc<Credentials> {
        &self.credentials
    }

    /// Status flags, as `F_GETFL` tells them.
    pub fn flags(&self) -> u32 {
        self.flags.load()
    }

    /// Changes those status flags that may change (`F_SETFL`).
    pub fn set_flags(&self, flags: u32) {
        let now = self.flags.load();
        self.flags.store((now & !CHANGEABLE) | (flags & CHANGEABLE));
    }

    /// Whether it was opened only to name a file.
    pub fn is_path_only(&self) -> bool {
        self.flags() & O_PATH != 0
    }

    /// How its transfers are made.
    pub fn manner(&self) -> Manner {
        Manner { nonblocking: self.flags() & O_NONBLOCK != 0 }
    }

    /// What the file is; nothing for one without a node.
    pub fn kind(&self) -> Option<Kind> {
        self.file.node().map(|node| node.kind())
    }

    /// What `fstat` tells.
    pub fn attributes(&self, cx: &mut TaskContext) -> Result<Attributes, Errno> {
        match &self.found {
            Some(found) => found.location.node.attributes(cx),
            None => self.file.attributes(cx),
        }
    }

    /// Reads at the position, and moves it.
    pub fn read(&self, cx: &mut TaskContext, into: &mut dyn Sink) -> Result<usize, Errno> {
        self.check_read()?;
        if !self.file.has_position() {
            return self.file.read(cx, 0, self.manner(), into);
        }
        let mut position = self.position.lock(cx);
        let count = self.file.read(cx, *position, self.manner(), into)?;
        *position = position.saturating_add(count as u64);
        Ok(count)
    }

    /// Reads at a given place; the position stays.
    pub fn read_at(&self, cx: &mut TaskContext, at: u64, into: &mut dyn Sink) -> Result<usize, Errno> {
        self.check_read()?;
        self.check_position()?;
        self.file.read(cx, at, self.manner(), into)
    }

    /// Writes at the position (or, with `O_APPEND`, at the end), and moves it.
    pub fn write(&self, cx: &mut TaskContext, from: &mut dyn Source) -> Result<usize, Errno> {
        self.check_write()?;
        if !self.file.has_position() {
            return Ok(self.file.write(cx, Place::End, self.manner(), from)?.count);
        }
        let mut position = self.position.lock(cx);
        let place = if self.flags() & O_APPEND != 0 { Place::End } else { Place::At(*position) };
        let written = self.file.write(cx, place, self.manner(), from)?;
        if written.count > 0 {
            *position = written.end;
        }
        drop(position);
        self.drop_set_id(cx, written.count);
        Ok(written.count)
    }

    /// Writes at a given place (with `O_APPEND`, at the end, as Linux does); the position stays.
    pub fn write_at(&self, cx: &mut TaskContext, at: u64, from: &mut dyn Source) -> Result<usize, Errno> {
        self.check_write()?;
        self.check_position()?;
        let place = if self.flags() & O_APPEND != 0 { Place::End } else { Place::At(at) };
        let written = self.file.write(cx, place, self.manner(), from)?;
        self.drop_set_id(cx, written.count);
        Ok(written.count)
    }

    /// Reads without waiting, at a given place where the file has one.
    pub fn try_read(&self, cx: &mut TaskContext, at: u64, into: &mut dyn Sink) -> Result<usize, Errno> {
        self.check_read()?;
        self.file.read(cx, at, Manner { nonblocking: true }, into)
    }

    /// Writes without waiting, at a given place where the file has one.
    pub fn try_write(&self, cx: &mut TaskContext, at: u64, from: &mut dyn Source) -> Result<usize, Errno> {
        self.check_write()?;
        let at_end = !self.file.has_position() || self.flags() & O_APPEND != 0;
        let place = if at_end { Place::End } else { Place::At(at) };
        let written = self.file.write(cx, place, Manner { nonblocking: true }, from)?;
        self.drop_set_id(cx, written.count);
        Ok(written.count)
    }

    /// Moves the position with the caller's own rule, under its lock: gets the old one, gives the new one.
    pub fn reposition<R>(
        &self,
        cx: &mut TaskContext,
        rule: impl FnOnce(&mut TaskContext, u64) -> Result<(u64, R), Errno>,
    ) -> Result<R, Errno> {
        let mut position = self.position.lock(cx);
        let (moved, answer) = rule(cx, *position)?;
        *position = moved;
        Ok(answer)
    }

    /// Refuses an opening that is not for reading.
    pub fn check_read(&self) -> Result<(), Errno> {
        if self.access.read { Ok(()) } else { Err(Errno::EBADF) }
    }

    /// Refuses an opening that is not for writing.
    pub fn check_write(&self) -> Result<(), Errno> {
        if self.access.write { Ok(()) } else { Err(Errno::EBADF) }
    }

    /// Refuses one that is not for reading at a place of the caller's.
    pub fn check_read_at(&self) -> Result<(), Errno> {
        self.check_position()?;
        self.check_read()
    }

    /// The same for writing.
    pub fn check_write_at(&self) -> Result<(), Errno> {
        self.check_position()?;
        self.check_write()
    }

    fn check_position(&self) -> Result<(), Errno> {
        if self.file.has_position() { Ok(()) } else { Err(Errno::ESPIPE) }
    }

    /// A file that was written by someone unprivileged is no longer set-user-id.
    fn drop_set_id(&self, cx: &mut TaskContext, count: usize) {
        if count == 0 || self.credentials.overrides_files() {
            return;
        }
        if let Some(node) = self.file.node() {
            let Ok(attributes) = node.attributes(cx) else { return };
            let mode = permission::without_set_id(attributes.mode, attributes.kind);
            if mode != attributes.mode && attributes.kind == Kind::Regular {
                let _ = node.change(cx, Change { mode: Some(mode), ..Change::default() });
            }
        }
    }
}

impl Drop for OpenFile {
    fn drop(&mut self) {
        if let Some(node) = self.file.node() {
            whole_locks::release(node.identity(), whole_locks::Owner::of(self));
            record_locks::owner_ended(node.identity(), record_locks::LockOwner::of(self));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn path_only_and_the_third_access_mode_allow_neither() {
        assert_eq!(Access::of_flags(O_RDWR | O_PATH), Access { read: false, write: false });
        assert_eq!(Access::of_flags(O_ACCMODE), Access { read: false, write: false });
        assert_eq!(Access::of_flags(O_WRONLY).wanted(), permission::WRITE);
    }
}
