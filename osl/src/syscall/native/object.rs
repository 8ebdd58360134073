//! irq_create, shmem_create, notify_create, notify.
//!
//! Invariant: only the privileged get a device's line.

use alloc::sync::Arc;

use abi::Errno;
use abi::constant::{O_CLOEXEC, O_RDWR};
use abi::native::CLOSE_ON_EXEC;
use libkernel::ipc::{InterruptLine, Notification, SharedMemory};
use sync::CpuId;

use super::super::{Caller, file, place};
use crate::error::errno;
use crate::native::{InterruptFile, MemoryFile, NotificationFile};

fn flags_of(flags: u32) -> Result<u32, Errno> {
    place::check_flags(flags, CLOSE_ON_EXEC)?;
    Ok(if flags & CLOSE_ON_EXEC != 0 { O_RDWR | O_CLOEXEC } else { O_RDWR })
}

pub fn irq_create(caller: &mut Caller<'_>, line: u32) -> Result<i32, Errno> {
    if !caller.credentials().is_privileged() {
        return Err(Errno::EPERM);
    }
    let line = InterruptLine::request(line, CpuId::BOOT).map_err(errno)?;
    file::install_new(caller, Arc::new(InterruptFile(line)), O_RDWR)
}

pub fn shmem_create(caller: &mut Caller<'_>, size: u64, flags: u32) -> Result<i32, Errno> {
    let flags = flags_of(flags)?;
    let memory = SharedMemory::new(size).map_err(errno)?;
    file::install_new(caller, Arc::new(MemoryFile(memory)), flags)
}

pub fn notify_create(caller: &mut Caller<'_>, flags: u32) -> Result<i32, Errno> {
    let flags = flags_of(flags)?;
    file::install_new(caller, Arc::new(NotificationFile(Notification::new())), flags)
}

pub fn notify(caller: &mut Caller<'_>, fd: i32) -> Result<(), Errno> {
    let open = caller.files().get_usable(caller.cx, fd)?;
    let notification = open.file().as_any().downcast_ref::<NotificationFile>().ok_or(Errno::EBADF)?;
    notification.0.signal(caller.cx);
    Ok(())
}
