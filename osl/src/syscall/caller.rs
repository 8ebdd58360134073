//! Caller: whose call it is, handed to every handler.
//!
//! Invariant: `task` is the task of the thread that `cx` stands for, and `registers` are that thread's own, stopped at the door.

use alloc::sync::Arc;

use abi::Errno;
use libkernel::address_space::{self, AddressSpace};
use libkernel::thread::registers::UserRegisters;
use sync::TaskContext;

use crate::credentials::Credentials;
use crate::file::FileTable;
use crate::fs::FileSystemContext;
use crate::process::{Process, Task};

/// The thread that made the call, and all that a handler may need of it.
pub struct Caller<'a> {
    /// The right to sleep, and the thread's identity.
    pub cx: &'a mut TaskContext,
    /// The Linux side of the thread.
    pub task: Arc<Task>,
    /// The program's registers as it left them.
    pub registers: &'a mut UserRegisters,
}

impl Caller<'_> {
    /// The process that the calling thread belongs to.
    pub fn process(&self) -> Arc<Process> {
        self.task.process().clone()
    }

    /// The address space the caller runs in.
    pub fn space(&self) -> Result<Arc<AddressSpace>, Errno> {
        address_space::current_space(self.cx).ok_or(Errno::EFAULT)
    }

    /// With whose rights the call is made.
    pub fn credentials(&self) -> Arc<Credentials> {
        self.task.credentials(self.cx)
    }

    /// The descriptors that the caller may name.
    pub fn files(&self) -> Arc<FileTable> {
        self.task.files(self.cx)
    }

    /// Root, working directory and umask.
    pub fn file_system(&self) -> Arc<FileSystemContext> {
        self.task.file_system(self.cx)
    }
}
