//! Paths that programs pass: copied once, and followed from where the call says.
//!
//! Invariant: a path is at most `PATH_LIMIT` bytes with its zero; what is followed is the copy.

use alloc::vec::Vec;

use abi::Errno;
use abi::constant::{AT_EMPTY_PATH, AT_FDCWD, AT_SYMLINK_FOLLOW, AT_SYMLINK_NOFOLLOW};
use libkernel::address_space::{UserAddress, user};
use libkernel::error::KernelError;

use super::Caller;
use crate::error::errno;
use crate::file::OpenFile;
use crate::fs::lookup::{self, Last};
use crate::fs::path::{self, PATH_LIMIT};
use crate::fs::{Found, Kind, View};
use alloc::sync::Arc;

/// The path at an address of the program.
pub fn path_in(caller: &mut Caller<'_>, at: UserAddress) -> Result<Vec<u8>, Errno> {
    user::copy_in_string(caller.cx, at, PATH_LIMIT).map_err(|error| match error {
        KernelError::TooLarge => Errno::ENAMETOOLONG,
        error => errno(error),
    })
}

/// The caller's own view.
pub fn view(caller: &Caller<'_>) -> View {
    View::of(caller.cx, &caller.file_system(), caller.credentials())
}

/// The caller's view, for a path that starts at the directory that a descriptor names.
pub fn view_at(caller: &mut Caller<'_>, directory: i32, path: &[u8]) -> Result<View, Errno> {
    let view = view(caller);
    if directory == AT_FDCWD || path::is_absolute(path) {
        return Ok(view);
    }
    let open = caller.files().get(caller.cx, directory)?;
    let found = open.found().ok_or(Errno::ENOTDIR)?;
    if found.location.node.kind() != Kind::Directory {
        return Err(Errno::ENOTDIR);
    }
    Ok(view.from(found.location.clone()))
}

/// What an `...at` call is about: a file found by a path, or an open file.
pub enum Subject {
    /// Found by its path.
    Found(Found),
    /// Open already (`AT_EMPTY_PATH`).
    Open(Arc<OpenFile>),
}

/// Whether the last link is followed, by the flags of an `...at` call that follows unless told otherwise.
pub fn last_unless_nofollow(flags: u32) -> Last {
    if flags & AT_SYMLINK_NOFOLLOW != 0 { Last::Stay } else { Last::Follow }
}

/// The same for a call that stays unless told otherwise.
pub fn last_if_follow(flags: u32) -> Last {
    if flags & AT_SYMLINK_FOLLOW != 0 { Last::Follow } else { Last::Stay }
}

/// The file that an `...at` call is about.
pub fn subject(caller: &mut Caller<'_>, directory: i32, at: UserAddress, flags: u32, last: Last) -> Result<Subject, Errno> {
    let is_nothing = flags & AT_EMPTY_PATH != 0 && at.as_u64() == 0;
    let path = if is_nothing { Vec::new() } else { path_in(caller, at)? };
    if path.is_empty() && flags & AT_EMPTY_PATH != 0 {
        if directory == AT_FDCWD {
            let location = caller.file_system().working(caller.cx);
            return Ok(Subject::Found(Found { location, entry: None }));
        }
        let open = caller.files().get(caller.cx, directory)?;
        return Ok(match open.found() {
            Some(found) => Subject::Found(found.clone()),
            None => Subject::Open(open),
        });
    }
    let view = view_at(caller, directory, &path)?;
    lookup::find(caller.cx, &view, &path, last).map(Subject::Found)
}

/// The same, for calls that need a named file.
pub fn found(caller: &mut Caller<'_>, directory: i32, at: UserAddress, flags: u32, last: Last) -> Result<Found, Errno> {
    match subject(caller, directory, at, flags, last)? {
        Subject::Found(found) => Ok(found),
        Subject::Open(_) => Err(Errno::ENOENT),
    }
}

/// Refuses flags that the call does not know.
pub fn check_flags(flags: u32, known: u32) -> Result<(), Errno> {
    if flags & !known == 0 { Ok(()) } else { Err(Errno::EINVAL) }
}
