//! Users and groups of a thread.
//!
//! Invariant: an unprivileged thread only ever moves among the users and groups that it has already.

use alloc::sync::Arc;
use alloc::vec::Vec;
use libkernel::memory::Room;

use abi::Errno;
use libkernel::address_space::{UserAddress, user};
use zerocopy::{FromBytes, IntoBytes};

use super::Caller;
use crate::credentials::Credentials;
use crate::error::errno;

/// "Leave it as it is."
const KEEP: u32 = u32::MAX;
/// The most further groups.
const GROUPS_LIMIT: usize = 65536;

pub fn getuid(caller: &mut Caller<'_>) -> Result<u32, Errno> {
    Ok(caller.credentials().uid)
}

pub fn geteuid(caller: &mut Caller<'_>) -> Result<u32, Errno> {
    Ok(caller.credentials().euid)
}

pub fn getgid(caller: &mut Caller<'_>) -> Result<u32, Errno> {
    Ok(caller.credentials().gid)
}

pub fn getegid(caller: &mut Caller<'_>) -> Result<u32, Errno> {
    Ok(caller.credentials().egid)
}

pub fn getresuid(caller: &mut Caller<'_>, real: UserAddress, effective: UserAddress, saved: UserAddress) -> Result<(), Errno> {
    let now = caller.credentials();
    write_three(caller, [(real, now.uid), (effective, now.euid), (saved, now.suid)])
}

pub fn getresgid(caller: &mut Caller<'_>, real: UserAddress, effective: UserAddress, saved: UserAddress) -> Result<(), Errno> {
    let now = caller.credentials();
    write_three(caller, [(real, now.gid), (effective, now.egid), (saved, now.sgid)])
}

fn write_three(caller: &mut Caller<'_>, values: [(UserAddress, u32); 3]) -> Result<(), Errno> {
    for (at, value) in values {
        user::copy_out_value(caller.cx, at, &value).map_err(errno)?;
    }
    Ok(())
}

/// A thread's three users, or its three groups.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Three {
    real: u32,
    effective: u32,
    saved: u32,
}

impl Three {
    fn holds(self, one: u32) -> bool {
        one == KEEP || one == self.real || one == self.effective || one == self.saved
    }

    /// As `setuid`: a privileged thread changes all three for good.
    fn set(self, new: u32, privileged: bool) -> Result<Self, Errno> {
        match new {
            KEEP => Err(Errno::EINVAL),
            _ if privileged => Ok(Self { real: new, effective: new, saved: new }),
            _ if new == self.real || new == self.saved => Ok(Self { effective: new, ..self }),
            _ => Err(Errno::EPERM),
        }
    }

    /// As `setreuid`.
    fn set_two(self, real: u32, effective: u32, privileged: bool) -> Result<Self, Errno> {
        let real_fits = real == KEEP || real == self.real || real == self.effective;
        let fits = real_fits && self.holds(effective);
        if !privileged && !fits {
            return Err(Errno::EPERM);
        }
        let new = self.with(real, effective, KEEP);
        let follows = real != KEEP || (effective != KEEP && effective != self.real);
        Ok(if follows { Self { saved: new.effective, ..new } } else { new })
    }

    /// As `setresuid`.
    fn set_three(self, real: u32, effective: u32, saved: u32, privileged: bool) -> Result<Self, Errno> {
        let fits = self.holds(real) && self.holds(effective) && self.holds(saved);
        if privileged || fits { Ok(self.with(real, effective, saved)) } else { Err(Errno::EPERM) }
    }

    fn with(self, real: u32, effective: u32, saved: u32) -> Self {
        let or = |new, old| if new == KEEP { old } else { new };
        Self { real: or(real, self.real), effective: or(effective, self.effective), saved: or(saved, self.saved) }
    }
}

fn change_user(caller: &mut Caller<'_>, change: impl FnOnce(Three, bool) -> Result<Three, Errno>) -> Result<(), Errno> {
    let now = caller.credentials();
    let three = Three { real: now.uid, effective: now.euid, saved: now.suid };
    let new = change(three, now.is_privileged())?;
    let users = Credentials { uid: new.real, euid: new.effective, suid: new.saved, fsuid: new.effective, ..(*now).clone() };
    set(caller, &now, users);
    Ok(())
}

fn change_group(caller: &mut Caller<'_>, change: impl FnOnce(Three, bool) -> Result<Three, Errno>) -> Result<(), Errno> {
    let now = caller.credentials();
    let three = Three { real: now.gid, effective: now.egid, saved: now.sgid };
    let new = change(three, now.is_privileged())?;
    let groups = Credentials { gid: new.real, egid: new.effective, sgid: new.saved, fsgid: new.effective, ..(*now).clone() };
    set(caller, &now, groups);
    Ok(())
}

fn set(caller: &mut Caller<'_>, old: &Credentials, new: Credentials) {
    if new.euid != old.euid || new.egid != old.egid {
        caller.task.process().dumpable.clear();
        caller.task.death_signal.store(0);
    }
    caller.task.set_credentials(caller.cx, Arc::new(new));
}

pub fn setuid(caller: &mut Caller<'_>, new: u32) -> Result<(), Errno> {
    change_user(caller, |three, privileged| three.set(new, privileged))
}

pub fn setgid(caller: &mut Caller<'_>, new: u32) -> Result<(), Errno> {
    change_group(caller, |three, privileged| three.set(new, privileged))
}

pub fn setreuid(caller: &mut Caller<'_>, real: u32, effective: u32) -> Result<(), Errno> {
    change_user(caller, |three, privileged| three.set_two(real, effective, privileged))
}

pub fn setregid(caller: &mut Caller<'_>, real: u32, effective: u32) -> Result<(), Errno> {
    change_group(caller, |three, privileged| three.set_two(real, effective, privileged))
}

pub fn setresuid(caller: &mut Caller<'_>, real: u32, effective: u32, saved: u32) -> Result<(), Errno> {
    change_user(caller, |three, privileged| three.set_three(real, effective, saved, privileged))
}

pub fn setresgid(caller: &mut Caller<'_>, real: u32, effective: u32, saved: u32) -> Result<(), Errno> {
    change_group(caller, |three, privileged| three.set_three(real, effective, saved, privileged))
}

/// Answers the user before, whether or not it changed.
pub fn setfsuid(caller: &mut Caller<'_>, new: u32) -> Result<u32, Errno> {
    let now = caller.credentials();
    let allowed = [now.uid, now.euid, now.suid, now.fsuid].contains(&new) || now.is_privileged();
    if allowed && new != KEEP {
        set(caller, &now, Credentials { fsuid: new, ..(*now).clone() });
    }
    Ok(now.fsuid)
}

/// Answers the group before, whether or not it changed.
pub fn setfsgid(caller: &mut Caller<'_>, new: u32) -> Result<u32, Errno> {
    let now = caller.credentials();
    let allowed = [now.gid, now.egid, now.sgid, now.fsgid].contains(&new) || now.is_privileged();
    if allowed && new != KEEP {
        set(caller, &now, Credentials { fsgid: new, ..(*now).clone() });
    }
    Ok(now.fsgid)
}

pub fn getgroups(caller: &mut Caller<'_>, room: i32, list: UserAddress) -> Result<usize, Errno> {
    let groups = caller.credentials().groups.clone();
    let room = usize::try_from(room).map_err(|_| Errno::EINVAL)?;
    if room == 0 {
        return Ok(groups.len());
    }
    if room < groups.len() {
        return Err(Errno::EINVAL);
    }
    user::copy_out(caller.cx, list, groups.as_bytes()).map_err(errno)?;
    Ok(groups.len())
}

pub fn setgroups(caller: &mut Caller<'_>, count: usize, list: UserAddress) -> Result<(), Errno> {
    let now = caller.credentials();
    if !now.is_privileged() {
        return Err(Errno::EPERM);
    }
    if count > GROUPS_LIMIT {
        return Err(Errno::EINVAL);
    }
    let mut bytes = Vec::new();
    bytes.try_room_exact(count * size_of::<u32>()).map_err(errno)?;
    bytes.resize(count * size_of::<u32>(), 0);
    user::copy_in(caller.cx, list, &mut bytes).map_err(errno)?;
    let words = bytes.chunks_exact(size_of::<u32>()).filter_map(|word| u32::read_from_bytes(word).ok());
    let new = now.with_groups(words.collect());
    set(caller, &now, new);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    const USER: Three = Three { real: 1000, effective: 7, saved: 8 };

    #[test]
    fn the_privileged_change_all_three_at_once() {
        assert_eq!(USER.set(5, true), Ok(Three { real: 5, effective: 5, saved: 5 }));
    }

    #[test]
    fn others_move_only_among_what_they_have() {
        assert_eq!(USER.set(1000, false), Ok(Three { effective: 1000, ..USER }));
        assert_eq!(USER.set(5, false), Err(Errno::EPERM));
        assert_eq!(USER.set_three(8, 1000, 7, false), Ok(Three { real: 8, effective: 1000, saved: 7 }));
        assert_eq!(USER.set_three(KEEP, 5, KEEP, false), Err(Errno::EPERM));
    }

    #[test]
    fn the_saved_user_follows_when_the_real_one_is_set() {
        assert_eq!(USER.set_two(7, KEEP, false), Ok(Three { real: 7, effective: 7, saved: 7 }));
        assert_eq!(USER.set_two(KEEP, 1000, false), Ok(Three { effective: 1000, ..USER }));
        assert_eq!(USER.set_two(8, KEEP, false), Err(Errno::EPERM), "the saved user is not one to become really");
    }

    #[test]
    fn minus_one_is_no_user() {
        assert_eq!(USER.set(KEEP, true), Err(Errno::EINVAL));
    }
}
