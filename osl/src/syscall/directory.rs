//! mkdir, mknod, link, unlink, rename, readlink; the working directory.
//!
//! Invariant: two paths of one call are both copied before either is followed.

use alloc::vec::Vec;

use abi::Errno;
use abi::constant::{AT_EMPTY_PATH, AT_FDCWD, AT_REMOVEDIR, AT_SYMLINK_FOLLOW, RENAME_EXCHANGE, RENAME_NOREPLACE};
use abi::file::mode;
use libkernel::address_space::{UserAddress, user};

use super::place::{check_flags, last_if_follow};
use super::{Caller, place};
use crate::error::errno;
use crate::fs::lookup::{self, Last};
use crate::fs::node::{Kind, New, Taken};
use crate::fs::path::PATH_LIMIT;
use crate::fs::{Location, change, names, permission};

pub fn mkdir(caller: &mut Caller<'_>, path: UserAddress, wanted: u32) -> Result<(), Errno> {
    mkdirat(caller, AT_FDCWD, path, wanted)
}

pub fn mkdirat(caller: &mut Caller<'_>, directory: i32, path: UserAddress, wanted: u32) -> Result<(), Errno> {
    let mode = wanted & (0o777 | mode::STICKY);
    make(caller, directory, path, Kind::Directory, mode, 0)
}

pub fn mknod(caller: &mut Caller<'_>, path: UserAddress, wanted: u32, device: u32) -> Result<(), Errno> {
    mknodat(caller, AT_FDCWD, path, wanted, device)
}

pub fn mknodat(caller: &mut Caller<'_>, directory: i32, path: UserAddress, wanted: u32, device: u32) -> Result<(), Errno> {
    let kind = if wanted & mode::TYPE_MASK == 0 { Kind::Regular } else { Kind::of_mode(wanted).ok_or(Errno::EINVAL)? };
    match kind {
        Kind::Directory => return Err(Errno::EPERM),
        Kind::Link => return Err(Errno::EINVAL),
        Kind::Character | Kind::Block if !caller.credentials().is_privileged() => return Err(Errno::EPERM),
        _ => {}
    }
    make(caller, directory, path, kind, wanted & mode::PERMISSIONS, u64::from(device))
}

fn make(caller: &mut Caller<'_>, directory: i32, path: UserAddress, kind: Kind, wanted: u32, device: u64) -> Result<(), Errno> {
    let path = place::path_in(caller, path)?;
    let view = place::view_at(caller, directory, &path)?;
    let mode = wanted & !caller.file_system().umask(caller.cx);
    change::make(caller.cx, &view, &path, New { kind, mode, user: 0, group: 0, device, target: &[] })
}

pub fn symlink(caller: &mut Caller<'_>, target: UserAddress, path: UserAddress) -> Result<(), Errno> {
    symlinkat(caller, target, AT_FDCWD, path)
}

pub fn symlinkat(caller: &mut Caller<'_>, target: UserAddress, directory: i32, path: UserAddress) -> Result<(), Errno> {
    let target = place::path_in(caller, target)?;
    if target.is_empty() {
        return Err(Errno::ENOENT);
    }
    let path = place::path_in(caller, path)?;
    let view = place::view_at(caller, directory, &path)?;
    let new = New { kind: Kind::Link, mode: 0o777, user: 0, group: 0, device: 0, target: &target };
    change::make(caller.cx, &view, &path, new)
}

pub fn link(caller: &mut Caller<'_>, old: UserAddress, new: UserAddress) -> Result<(), Errno> {
    linkat(caller, (AT_FDCWD, old), (AT_FDCWD, new), 0)
}

pub fn linkat(caller: &mut Caller<'_>, old: (i32, UserAddress), new: (i32, UserAddress), flags: u32) -> Result<(), Errno> {
    check_flags(flags, AT_SYMLINK_FOLLOW | AT_EMPTY_PATH)?;
    if flags & AT_EMPTY_PATH != 0 && !caller.credentials().is_privileged() {
        return Err(Errno::ENOENT);
    }
    let found = place::found(caller, old.0, old.1, flags, last_if_follow(flags))?;
    let path = place::path_in(caller, new.1)?;
    let view = place::view_at(caller, new.0, &path)?;
    change::link(caller.cx, &found.location, &view, &path)
}

pub fn unlink(caller: &mut Caller<'_>, path: UserAddress) -> Result<(), Errno> {
    unlinkat(caller, AT_FDCWD, path, 0)
}

pub fn rmdir(caller: &mut Caller<'_>, path: UserAddress) -> Result<(), Errno> {
    unlinkat(caller, AT_FDCWD, path, AT_REMOVEDIR)
}

pub fn unlinkat(caller: &mut Caller<'_>, directory: i32, path: UserAddress, flags: u32) -> Result<(), Errno> {
    check_flags(flags, AT_REMOVEDIR)?;
    let path = place::path_in(caller, path)?;
    let view = place::view_at(caller, directory, &path)?;
    change::remove(caller.cx, &view, &path, flags & AT_REMOVEDIR != 0)
}

pub fn rename(caller: &mut Caller<'_>, old: UserAddress, new: UserAddress) -> Result<(), Errno> {
    renameat2(caller, (AT_FDCWD, old), (AT_FDCWD, new), 0)
}

pub fn renameat2(caller: &mut Caller<'_>, old: (i32, UserAddress), new: (i32, UserAddress), flags: u32) -> Result<(), Errno> {
    let taken = match flags {
        0 => Taken::Replace,
        RENAME_NOREPLACE => Taken::Refuse,
        RENAME_EXCHANGE => Taken::Exchange,
        _ => return Err(Errno::EINVAL),
    };
    let from = place::path_in(caller, old.1)?;
    let to = place::path_in(caller, new.1)?;
    let from_view = place::view_at(caller, old.0, &from)?;
    let to_view = place::view_at(caller, new.0, &to)?;
    change::rename(caller.cx, (&from_view, &from), (&to_view, &to), taken)
}

pub fn readlink(caller: &mut Caller<'_>, path: UserAddress, buffer: UserAddress, size: i32) -> Result<usize, Errno> {
    readlinkat(caller, AT_FDCWD, path, buffer, size)
}

pub fn readlinkat(caller: &mut Caller<'_>, directory: i32, path: UserAddress, buffer: UserAddress, size: i32) -> Result<usize, Errno> {
    let size = usize::try_from(size).ok().filter(|&size| size > 0).ok_or(Errno::EINVAL)?;
    let path = place::path_in(caller, path)?;
    let node = if path.is_empty() {
        let open = caller.files().get(caller.cx, directory)?;
        let location = open.found().map(|found| found.location.clone()).ok_or(Errno::ENOENT)?;
        if location.node.kind() != Kind::Link {
            return Err(Errno::ENOENT);
        }
        location.node
    } else {
        let view = place::view_at(caller, directory, &path)?;
        lookup::find(caller.cx, &view, &path, Last::Stay)?.location.node
    };
    let target = node.target(caller.cx)?;
    let shown = target.get(..size).unwrap_or(&target);
    user::copy_out(caller.cx, buffer, shown).map_err(errno)?;
    Ok(shown.len())
}

pub fn chdir(caller: &mut Caller<'_>, path: UserAddress) -> Result<(), Errno> {
    let place = directory_to_enter(caller, path)?;
    caller.file_system().set_working(caller.cx, place);
    Ok(())
}

pub fn chroot(caller: &mut Caller<'_>, path: UserAddress) -> Result<(), Errno> {
    let place = directory_to_enter(caller, path)?;
    if !caller.credentials().is_privileged() {
        return Err(Errno::EPERM);
    }
    caller.file_system().set_root(caller.cx, place);
    Ok(())
}

fn directory_to_enter(caller: &mut Caller<'_>, path: UserAddress) -> Result<Location, Errno> {
    let path = place::path_in(caller, path)?;
    let view = place::view(caller);
    let place = lookup::find(caller.cx, &view, &path, Last::Follow)?.location;
    check_enterable(caller, &place)?;
    Ok(place)
}

fn check_enterable(caller: &mut Caller<'_>, place: &Location) -> Result<(), Errno> {
    if place.node.kind() != Kind::Directory {
        return Err(Errno::ENOTDIR);
    }
    place::view(caller).check(caller.cx, place, permission::EXECUTE)
}

pub fn fchdir(caller: &mut Caller<'_>, fd: i32) -> Result<(), Errno> {
    let open = caller.files().get(caller.cx, fd)?;
    let place = open.found().map(|found| found.location.clone()).ok_or(Errno::ENOTDIR)?;
    check_enterable(caller, &place)?;
    caller.file_system().set_working(caller.cx, place);
    Ok(())
}

pub fn getcwd(caller: &mut Caller<'_>, buffer: UserAddress, size: usize) -> Result<usize, Errno> {
    let context = caller.file_system();
    let (root, working) = (context.root(caller.cx), context.working(caller.cx));
    let mut path: Vec<u8> = names::directory_path(caller.cx, &root, &working).ok_or(Errno::ENOENT)?;
    path.push(0);
    if path.len() > PATH_LIMIT {
        return Err(Errno::ENAMETOOLONG);
    }
    if path.len() > size {
        return Err(Errno::ERANGE);
    }
    user::copy_out(caller.cx, buffer, &path).map_err(errno)?;
    Ok(path.len())
}
