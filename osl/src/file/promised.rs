//! Descriptors whose numbers a program is told before they mean anything.
//!
//! Invariant: a promised number is nobody else's and means nothing until it is kept; one that is not kept is free again. So a
//! call that fails halfway takes nothing away that another thread has put in its place.

use alloc::sync::Arc;

use abi::Errno;
use sync::TaskContext;

use super::open_file::OpenFile;
use super::table::FileTable;

/// One number, until it is kept or dropped.
#[must_use]
pub struct Promised {
    table: Arc<FileTable>,
    fd: i32,
    is_open: bool,
}

impl Promised {
    /// The lowest free number below `limit`.
    pub fn new(cx: &TaskContext, table: &Arc<FileTable>, limit: u64) -> Result<Self, Errno> {
        let fd = table.promise(cx, limit)?;
        Ok(Self { table: table.clone(), fd, is_open: true })
    }

    /// What the program is told.
    pub const fn fd(&self) -> i32 {
        self.fd
    }

    /// From now on the number means this.
    pub fn keep(mut self, cx: &TaskContext, open: Arc<OpenFile>, close_on_exec: bool) {
        self.is_open = false;
        self.table.keep_promise(cx, self.fd, open, close_on_exec);
    }
}

impl Drop for Promised {
    fn drop(&mut self) {
        if self.is_open {
            self.table.break_promise(self.fd);
        }
    }
}
