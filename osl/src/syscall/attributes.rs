//! stat, access, chmod, chown, utimes, statfs: a file's properties.
//!
//! Invariant: what is changed is what was looked up by this very call; rights are those of the caller at its start.

use alloc::sync::Arc;

use abi::Errno;
use abi::constant::{
    AT_EACCESS, AT_EMPTY_PATH, AT_FDCWD, AT_NO_AUTOMOUNT, AT_STATX_SYNC_TYPE, AT_SYMLINK_NOFOLLOW, STATX__RESERVED, UTIME_NOW, UTIME_OMIT,
};
use abi::file::mode;
use abi::time::{FileTimes, Timespec, Timeval};
use libkernel::address_space::{UserAddress, user};
use libkernel::clock;

use super::place::{Subject, check_flags, found, last_unless_nofollow, subject};
use super::{Caller, place};
use crate::credentials::Credentials;
use crate::error::errno;
use crate::file::OpenFile;
use crate::fs::lookup::Last;
use crate::fs::{Attributes, Change, Kind, Node, permission};

fn attributes_of(caller: &mut Caller<'_>, subject: &Subject) -> Result<Attributes, Errno> {
    match subject {
        Subject::Found(found) => found.location.node.attributes(caller.cx),
        Subject::Open(open) => open.attributes(caller.cx),
    }
}

pub fn stat(caller: &mut Caller<'_>, path: UserAddress, result: UserAddress) -> Result<(), Errno> {
    newfstatat(caller, AT_FDCWD, path, result, 0)
}

pub fn lstat(caller: &mut Caller<'_>, path: UserAddress, result: UserAddress) -> Result<(), Errno> {
    newfstatat(caller, AT_FDCWD, path, result, AT_SYMLINK_NOFOLLOW)
}

pub fn fstat(caller: &mut Caller<'_>, fd: i32, result: UserAddress) -> Result<(), Errno> {
    let open = caller.files().get(caller.cx, fd)?;
    let stat = open.attributes(caller.cx)?.to_stat();
    user::copy_out_value(caller.cx, result, &stat).map_err(errno)
}

pub fn newfstatat(caller: &mut Caller<'_>, directory: i32, path: UserAddress, result: UserAddress, flags: u32) -> Result<(), Errno> {
    check_flags(flags, AT_SYMLINK_NOFOLLOW | AT_EMPTY_PATH | AT_NO_AUTOMOUNT)?;
    let subject = subject(caller, directory, path, flags, last_unless_nofollow(flags))?;
    let stat = attributes_of(caller, &subject)?.to_stat();
    user::copy_out_value(caller.cx, result, &stat).map_err(errno)
}

pub fn statx(caller: &mut Caller<'_>, directory: i32, path: UserAddress, flags: u32, mask: u32, result: UserAddress) -> Result<(), Errno> {
    check_flags(flags, AT_SYMLINK_NOFOLLOW | AT_EMPTY_PATH | AT_NO_AUTOMOUNT | AT_STATX_SYNC_TYPE)?;
    if mask & STATX__RESERVED != 0 || flags & AT_STATX_SYNC_TYPE == AT_STATX_SYNC_TYPE {
        return Err(Errno::EINVAL);
    }
    let subject = subject(caller, directory, path, flags, last_unless_nofollow(flags))?;
    let mount = if let Subject::Found(found) = &subject { found.location.mount.number } else { 0 };
    let statx = attributes_of(caller, &subject)?.to_statx(mount);
    user::copy_out_value(caller.cx, result, &statx).map_err(errno)
}

pub fn statfs(caller: &mut Caller<'_>, path: UserAddress, result: UserAddress) -> Result<(), Errno> {
    let found = found(caller, AT_FDCWD, path, 0, Last::Follow)?;
    let statfs = found.location.node.file_system();
    user::copy_out_value(caller.cx, result, &statfs).map_err(errno)
}

pub fn fstatfs(caller: &mut Caller<'_>, fd: i32, result: UserAddress) -> Result<(), Errno> {
    let open = caller.files().get(caller.cx, fd)?;
    let statfs = match (open.found(), open.file().node()) {
        (Some(found), _) => found.location.node.file_system(),
        (None, Some(node)) => node.file_system(),
        (None, None) => abi::file::Statfs { block_size: 4096, ..Default::default() },
    };
    user::copy_out_value(caller.cx, result, &statfs).map_err(errno)
}

pub fn access(caller: &mut Caller<'_>, path: UserAddress, wanted: u32) -> Result<(), Errno> {
    faccessat2(caller, AT_FDCWD, path, wanted, 0)
}

pub fn faccessat(caller: &mut Caller<'_>, directory: i32, path: UserAddress, wanted: u32) -> Result<(), Errno> {
    faccessat2(caller, directory, path, wanted, 0)
}

pub fn faccessat2(caller: &mut Caller<'_>, directory: i32, path: UserAddress, wanted: u32, flags: u32) -> Result<(), Errno> {
    check_flags(flags, AT_EACCESS | AT_SYMLINK_NOFOLLOW | AT_EMPTY_PATH)?;
    if wanted & !7 != 0 {
        return Err(Errno::EINVAL);
    }
    let own = caller.credentials();
    let who = if flags & AT_EACCESS == 0 { alloc::sync::Arc::new(own.as_real()) } else { own };
    let is_nothing = flags & AT_EMPTY_PATH != 0;
    let subject = if is_nothing {
        subject(caller, directory, path, flags, last_unless_nofollow(flags))?
    } else {
        let path = place::path_in(caller, path)?;
        let mut view = place::view_at(caller, directory, &path)?;
        view.credentials = who.clone();
        Subject::Found(crate::fs::lookup::find(caller.cx, &view, &path, last_unless_nofollow(flags))?)
    };
    let attributes = attributes_of(caller, &subject)?;
    permission::check(&who, &attributes, wanted)
}

pub fn chmod(caller: &mut Caller<'_>, path: UserAddress, wanted: u32) -> Result<(), Errno> {
    fchmodat2(caller, AT_FDCWD, path, wanted, 0)
}

pub fn fchmodat(caller: &mut Caller<'_>, directory: i32, path: UserAddress, wanted: u32) -> Result<(), Errno> {
    fchmodat2(caller, directory, path, wanted, 0)
}

pub fn fchmodat2(caller: &mut Caller<'_>, directory: i32, path: UserAddress, wanted: u32, flags: u32) -> Result<(), Errno> {
    check_flags(flags, AT_SYMLINK_NOFOLLOW | AT_EMPTY_PATH)?;
    let found = found(caller, directory, path, flags, last_unless_nofollow(flags))?;
    if found.location.node.kind() == Kind::Link {
        return Err(Errno::EOPNOTSUPP);
    }
    set_mode(caller, &found.location.node, wanted)
}

pub fn fchmod(caller: &mut Caller<'_>, fd: i32, wanted: u32) -> Result<(), Errno> {
    let open = caller.files().get_usable(caller.cx, fd)?;
    set_mode(caller, node_of(&open)?, wanted)
}

/// What an opening leads to, by a name or without one.
fn node_of(open: &OpenFile) -> Result<&Arc<dyn Node>, Errno> {
    let named = open.found().map(|found| &found.location.node);
    named.or_else(|| open.file().node()).ok_or(Errno::EINVAL)
}

fn set_mode(caller: &mut Caller<'_>, node: &Arc<dyn Node>, wanted: u32) -> Result<(), Errno> {
    let who = caller.credentials();
    let attributes = node.attributes(caller.cx)?;
    permission::check_owner(&who, &attributes)?;
    let mode = permission::mode_to_set(&who, &attributes, wanted);
    node.change(caller.cx, Change { mode: Some(mode), ..Change::default() })
}

pub fn chown(caller: &mut Caller<'_>, path: UserAddress, user: u32, group: u32) -> Result<(), Errno> {
    fchownat(caller, AT_FDCWD, path, (user, group), 0)
}

pub fn lchown(caller: &mut Caller<'_>, path: UserAddress, user: u32, group: u32) -> Result<(), Errno> {
    fchownat(caller, AT_FDCWD, path, (user, group), AT_SYMLINK_NOFOLLOW)
}

pub fn fchownat(caller: &mut Caller<'_>, directory: i32, path: UserAddress, owner: (u32, u32), flags: u32) -> Result<(), Errno> {
    check_flags(flags, AT_SYMLINK_NOFOLLOW | AT_EMPTY_PATH)?;
    let found = found(caller, directory, path, flags, last_unless_nofollow(flags))?;
    set_owner(caller, &found.location.node, owner)
}

pub fn fchown(caller: &mut Caller<'_>, fd: i32, user: u32, group: u32) -> Result<(), Errno> {
    let open = caller.files().get_usable(caller.cx, fd)?;
    set_owner(caller, node_of(&open)?, (user, group))
}

fn set_owner(caller: &mut Caller<'_>, node: &Arc<dyn Node>, (user, group): (u32, u32)) -> Result<(), Errno> {
    let who = caller.credentials();
    let attributes = node.attributes(caller.cx)?;
    let user = (user != u32::MAX).then_some(user);
    let group = (group != u32::MAX).then_some(group);
    check_may_give(&who, &attributes, user, group)?;
    let is_program = attributes.kind == Kind::Regular && attributes.mode & 0o111 != 0;
    let mode = is_program.then(|| permission::without_set_id(attributes.mode, attributes.kind));
    node.change(caller.cx, Change { mode, user, group, ..Change::default() })
}

/// Only root gives files away; an owner may hand a file to one of its own groups.
fn check_may_give(who: &Credentials, file: &Attributes, user: Option<u32>, group: Option<u32>) -> Result<(), Errno> {
    if who.overrides_files() {
        return Ok(());
    }
    let is_owner = who.fsuid == file.user;
    let keeps_user = user.is_none_or(|user| is_owner && user == file.user);
    let own_group = group.is_none_or(|group| is_owner && (group == file.group || who.is_member(group)));
    if keeps_user && own_group { Ok(()) } else { Err(Errno::EPERM) }
}

/// Access and modification time to be set: `None` leaves one as it is.
type Times = (Option<u64>, Option<u64>);

pub fn utimensat(caller: &mut Caller<'_>, directory: i32, path: UserAddress, times: UserAddress, flags: u32) -> Result<(), Errno> {
    check_flags(flags, AT_SYMLINK_NOFOLLOW | AT_EMPTY_PATH)?;
    let mut specs = [Timespec { seconds: 0, nanoseconds: i64::from(UTIME_NOW) }; 2];
    if times.as_u64() != 0 {
        specs = user::copy_in_value(caller.cx, times).map_err(errno)?;
    }
    let both = |nanoseconds: u32| specs.iter().all(|spec| spec.nanoseconds == i64::from(nanoseconds));
    if both(UTIME_OMIT) {
        return Ok(());
    }
    let now = clock::wall_clock();
    let [accessed, modified] = specs;
    let wanted = (time_in(accessed, now)?, time_in(modified, now)?);
    set_times(caller, directory, path, flags, wanted, both(UTIME_NOW))
}

fn time_in(spec: Timespec, now: u64) -> Result<Option<u64>, Errno> {
    match u32::try_from(spec.nanoseconds) {
        Ok(UTIME_NOW) => Ok(Some(now)),
        Ok(UTIME_OMIT) => Ok(None),
        Ok(below) if below < 1_000_000_000 => {
            let seconds = u64::try_from(spec.seconds).unwrap_or(0);
            Ok(Some(seconds.saturating_mul(1_000_000_000).saturating_add(u64::from(below))))
        }
        _ => Err(Errno::EINVAL),
    }
}

fn set_times(
    caller: &mut Caller<'_>,
    directory: i32,
    path: UserAddress,
    flags: u32,
    (accessed, modified): Times,
    to_now: bool,
) -> Result<(), Errno> {
    // Linux: without a path the descriptor itself is meant.
    let flags = if path.as_u64() == 0 && directory != AT_FDCWD { flags | AT_EMPTY_PATH } else { flags };
    let found = found(caller, directory, path, flags, last_unless_nofollow(flags))?;
    let who = caller.credentials();
    let node = found.location.node;
    let attributes = node.attributes(caller.cx)?;
    let is_owner = permission::check_owner(&who, &attributes);
    if to_now && is_owner.is_err() {
        permission::check(&who, &attributes, permission::WRITE)?;
    } else {
        is_owner?;
    }
    node.change(caller.cx, Change { accessed, modified, ..Change::default() })
}

fn from_microseconds(time: Timeval) -> Result<Option<u64>, Errno> {
    time.to_nanoseconds().map(Some).ok_or(Errno::EINVAL)
}

pub fn utimes(caller: &mut Caller<'_>, path: UserAddress, times: UserAddress) -> Result<(), Errno> {
    futimesat(caller, AT_FDCWD, path, times)
}

pub fn futimesat(caller: &mut Caller<'_>, directory: i32, path: UserAddress, times: UserAddress) -> Result<(), Errno> {
    let to_now = times.as_u64() == 0;
    let wanted = if to_now {
        let now = clock::wall_clock();
        (Some(now), Some(now))
    } else {
        let [accessed, modified]: [Timeval; 2] = user::copy_in_value(caller.cx, times).map_err(errno)?;
        (from_microseconds(accessed)?, from_microseconds(modified)?)
    };
    set_times(caller, directory, path, 0, wanted, to_now)
}

pub fn utime(caller: &mut Caller<'_>, path: UserAddress, times: UserAddress) -> Result<(), Errno> {
    let to_now = times.as_u64() == 0;
    let wanted = if to_now {
        let now = clock::wall_clock();
        (Some(now), Some(now))
    } else {
        let times: FileTimes = user::copy_in_value(caller.cx, times).map_err(errno)?;
        let seconds = |time: i64| Some(u64::try_from(time).unwrap_or(0).saturating_mul(1_000_000_000));
        (seconds(times.accessed), seconds(times.modified))
    };
    set_times(caller, AT_FDCWD, path, 0, wanted, to_now)
}

pub fn umask(caller: &mut Caller<'_>, wanted: u32) -> Result<u32, Errno> {
    Ok(caller.file_system().set_umask(caller.cx, wanted & mode::PERMISSIONS))
}
