//! Who may do what to a file.
//!
//! Invariant: pure: the answer depends on the credentials and the attributes given, and on nothing else.

use abi::Errno;
use abi::file::mode;

use super::attributes::Attributes;
use super::node::Kind;
use crate::credentials::Credentials;

/// To read the file, or list the directory.
pub const READ: u32 = 4;
/// To change the file, or the names in the directory.
pub const WRITE: u32 = 2;
/// To run the file, or pass through the directory.
pub const EXECUTE: u32 = 1;

/// Whether all of `wanted` is allowed.
pub fn check(who: &Credentials, file: &Attributes, wanted: u32) -> Result<(), Errno> {
    if who.overrides_files() {
        let may_run = file.kind == Kind::Directory || file.mode & 0o111 != 0;
        return if wanted & EXECUTE == 0 || may_run { Ok(()) } else { Err(Errno::EACCES) };
    }
    let shift = if who.fsuid == file.user {
        6
    } else if who.is_member(file.group) {
        3
    } else {
        0
    };
    if (file.mode >> shift) & wanted == wanted { Ok(()) } else { Err(Errno::EACCES) }
}

/// Whether `who` may treat the file as its own: `chmod`, `utimes` with a time.
pub fn check_owner(who: &Credentials, file: &Attributes) -> Result<(), Errno> {
    if who.overrides_files() || who.fsuid == file.user { Ok(()) } else { Err(Errno::EPERM) }
}

/// In a sticky directory only the owner of the file or of the directory may take its name away.
pub fn check_sticky(who: &Credentials, directory: &Attributes, file: &Attributes) -> Result<(), Errno> {
    let is_free = directory.mode & mode::STICKY == 0 || who.overrides_files();
    if is_free || who.fsuid == file.user || who.fsuid == directory.user { Ok(()) } else { Err(Errno::EPERM) }
}

/// The mode left when someone without the right to keep them changes content or owner: set-id bits go.
pub fn without_set_id(mode_now: u32, kind: Kind) -> u32 {
    if kind == Kind::Directory {
        return mode_now;
    }
    let group_too = mode_now & 0o010 != 0;
    mode_now & !mode::SET_USER & if group_too { !mode::SET_GROUP } else { !0 }
}

/// The mode that `chmod` sets: an unprivileged caller outside the file's group loses the set-group-id bit.
pub fn mode_to_set(who: &Credentials, file: &Attributes, wanted: u32) -> u32 {
    let keeps = who.overrides_files() || who.is_member(file.group);
    wanted & mode::PERMISSIONS & if keeps { !0 } else { !mode::SET_GROUP }
}

/// Group and mode of a file made in a directory: a set-group-id directory hands down its group, and to directories the bit.
pub fn inherited(who: &Credentials, directory: &Attributes, kind: Kind, wanted: u32) -> (u32, u32) {
    if directory.mode & mode::SET_GROUP == 0 {
        return (who.fsgid, wanted);
    }
    if kind == Kind::Directory {
        return (directory.group, wanted | mode::SET_GROUP);
    }
    let loses = wanted & 0o010 != 0 && !who.is_member(directory.group) && !who.overrides_files();
    (directory.group, if loses { wanted & !mode::SET_GROUP } else { wanted })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fs::node::Identity;

    fn file(kind: Kind, mode: u32, user: u32, group: u32) -> Attributes {
        let identity = Identity { file_system: 1, number: 1 };
        Attributes { user, group, ..Attributes::plain(identity, kind, mode, 0) }
    }

    #[test]
    fn the_owner_is_judged_by_the_owner_bits_even_when_others_may_more() {
        let who = Credentials::of(5, 5);
        assert_eq!(check(&who, &file(Kind::Regular, 0o077, 5, 5), READ), Err(Errno::EACCES));
        assert_eq!(check(&who, &file(Kind::Regular, 0o004, 6, 6), READ), Ok(()));
    }

    #[test]
    fn root_runs_only_what_someone_may_run() {
        let who = Credentials::root();
        assert_eq!(check(&who, &file(Kind::Regular, 0o644, 5, 5), EXECUTE), Err(Errno::EACCES));
        assert_eq!(check(&who, &file(Kind::Regular, 0o001, 5, 5), EXECUTE), Ok(()));
        assert_eq!(check(&who, &file(Kind::Regular, 0o000, 5, 5), READ | WRITE), Ok(()));
    }

    #[test]
    fn in_a_sticky_directory_a_stranger_may_not_remove() {
        let directory = file(Kind::Directory, 0o1777, 0, 0);
        let theirs = file(Kind::Regular, 0o666, 7, 7);
        assert_eq!(check_sticky(&Credentials::of(5, 5), &directory, &theirs), Err(Errno::EPERM));
        assert_eq!(check_sticky(&Credentials::of(7, 7), &directory, &theirs), Ok(()));
    }

    #[test]
    fn a_write_clears_the_set_user_bit() {
        assert_eq!(without_set_id(0o6755, Kind::Regular), 0o755);
        assert_eq!(without_set_id(0o2644, Kind::Regular), 0o2644);
    }

    #[test]
    fn a_set_group_directory_hands_down_its_group() {
        let directory = file(Kind::Directory, 0o2775, 0, 50);
        assert_eq!(inherited(&Credentials::of(5, 5), &directory, Kind::Directory, 0o755), (50, 0o2755));
        assert_eq!(inherited(&Credentials::of(5, 5), &directory, Kind::Regular, 0o644), (50, 0o644));
    }
}
