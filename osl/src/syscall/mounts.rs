//! mount and umount2.
//!
//! Invariant: only root changes the tree; what is mounted from a disk is only read.

use alloc::string::String;
use alloc::sync::Arc;

use abi::Errno;
use abi::constant::{MS_BIND, MS_MOVE, MS_REMOUNT, UMOUNT_NOFOLLOW};
use abi::file::device_parts;
use libkernel::address_space::{UserAddress, user};

use super::{Caller, place};
use crate::error::errno;
use crate::fs::lookup::{self, Last};
use crate::fs::mount::{self, Location, Mount};
use crate::fs::path::NAME_LIMIT;
use crate::fs::tmpfs::Tmpfs;
use crate::fs::{Kind, disk, ext};
use crate::pseudo_fs::{dev, disk_device, proc, sys};

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
    let source_path = if source.as_u64() == 0 { b"none".to_vec() } else { place::path_in(caller, source)? };
    let source = String::from_utf8_lossy(&source_path);
    match kind.as_slice() {
        b"tmpfs" | b"ramfs" => mount::mount(caller.cx, Tmpfs::create(PAGES, 0o1777), Some(target), &source, "tmpfs")?,
        b"devtmpfs" => dev::mount_at(caller.cx, target)?,
        b"proc" => mount::mount(caller.cx, proc::root(), Some(target), &source, "proc")?,
        b"sysfs" => mount::mount(caller.cx, sys::root(), Some(target), &source, "sysfs")?,
        name if ext::is_name(name) => mount_disk(caller, &source_path, target)?,
        _ => return Err(Errno::ENODEV),
    };
    Ok(())
}

/// Mounts the disk that a device file names.
fn mount_disk(caller: &mut Caller<'_>, path: &[u8], target: Location) -> Result<Arc<Mount>, Errno> {
    let view = place::view(caller);
    let device = lookup::find(caller.cx, &view, path, Last::Follow)?.location.node;
    if device.kind() != Kind::Block {
        return Err(Errno::ENOTBLK);
    }
    let number = device.attributes(caller.cx)?.special;
    let disk = disk_device::number_of(device_parts(number)).and_then(|number| disk::get(caller.cx, number)).ok_or(Errno::ENXIO)?;
    let volume = ext::Volume::open(caller.cx, disk, number)?;
    let root = volume.root(caller.cx)?;
    mount::mount(caller.cx, root, Some(target), &String::from_utf8_lossy(path), volume.kind())
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
