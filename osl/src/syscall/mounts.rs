//! mount and umount2.
//!
//! Invariant: only root changes the tree, and only file systems that live in memory are there to be mounted.

use abi::Errno;
use abi::constant::{MS_BIND, MS_MOVE, MS_REMOUNT, UMOUNT_NOFOLLOW};
use libkernel::address_space::{UserAddress, user};

use super::{Caller, place};
use crate::error::errno;
use crate::fs::lookup::{self, Last};
use crate::fs::mount;
use crate::fs::path::NAME_LIMIT;
use crate::fs::tmpfs::Tmpfs;
use crate::pseudo_fs::{dev, proc, sys};

/// Pages that a mounted `tmpfs` may hold: 256 MiB.
const PAGES: u64 = 65536;

pub fn mount(caller: &mut Caller<'_>, source: UserAddress, target: UserAddress, kind: UserAddress, flags: u64) -> Result<(), Errno> {
    if !caller.credentials().is_privileged() {
        return Err(Errno::EPERM);
    }
    let path = place::path_in(caller, target)?;
    let view = place::view(caller);
    let target = lookup::find(caller.cx, &view, &path, Last::Follow)?.location;
    if flags & u64::from(MS_REMOUNT) != 0 {
        return Ok(());
    }
    if flags & u64::from(MS_BIND | MS_MOVE) != 0 {
        return Err(Errno::EINVAL);
    }
    let kind = user::copy_in_string(caller.cx, kind, NAME_LIMIT).map_err(errno)?;
    let source = if source.as_u64() == 0 { b"none".to_vec() } else { place::path_in(caller, source)? };
    let source = alloc::string::String::from_utf8_lossy(&source);
    match kind.as_slice() {
        b"tmpfs" | b"ramfs" => mount::mount(caller.cx, Tmpfs::create(PAGES, 0o1777), Some(target), &source, "tmpfs")?,
        b"devtmpfs" => dev::mount_at(caller.cx, target)?,
        b"proc" => mount::mount(caller.cx, proc::root(), Some(target), &source, "proc")?,
        b"sysfs" => mount::mount(caller.cx, sys::root(), Some(target), &source, "sysfs")?,
        _ => return Err(Errno::ENODEV),
    };
    Ok(())
}

pub fn umount2(caller: &mut Caller<'_>, target: UserAddress, flags: u32) -> Result<(), Errno> {
    if !caller.credentials().is_privileged() {
        return Err(Errno::EPERM);
    }
    let path = place::path_in(caller, target)?;
    let view = place::view(caller);
    let last = if flags & UMOUNT_NOFOLLOW != 0 { Last::Stay } else { Last::Follow };
    let found = lookup::find(caller.cx, &view, &path, last)?.location;
    if !found.is_mount_root() {
        return Err(Errno::EINVAL);
    }
    mount::unmount(caller.cx, &found.mount)
}
