//! capget, capset: rights one by one, of which this kernel has all or none.
//!
//! Invariant: a program that asks to give up part of its rights is refused rather than left believing that it did. It may give up all.

use alloc::sync::Arc;

use abi::Errno;
use libkernel::address_space::{UserAddress, user};
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

use super::Caller;
use crate::credentials::Credentials;
use crate::error::errno;
use crate::process;

const FIRST_VERSION: u32 = 0x1998_0330;
const SECOND_VERSION: u32 = 0x2007_1026;
const THIRD_VERSION: u32 = 0x2008_0522;
/// Bits 0 to 40.
const ALL: u64 = (1 << 41) - 1;

#[repr(C)]
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable, KnownLayout)]
struct Header {
    version: u32,
    process: i32,
}

/// Half of the sets: 32 rights.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout)]
struct Half {
    effective: u32,
    permitted: u32,
    inheritable: u32,
}

pub fn capget(caller: &mut Caller<'_>, header: UserAddress, data: UserAddress) -> Result<(), Errno> {
    let (process, halves) = match header_in(caller, header) {
        Err(Errno::EINVAL) if data.as_u64() == 0 => return Ok(()),
        other => other?,
    };
    if data.as_u64() == 0 {
        return Ok(());
    }
    let privileged = if process == 0 {
        caller.credentials().is_privileged()
    } else {
        let task = process::find_task(caller.cx, process).ok_or(Errno::ESRCH)?;
        task.credentials(caller.cx).is_privileged()
    };
    let [low, high] = halves_of(privileged);
    user::copy_out_value(caller.cx, data, &low).map_err(errno)?;
    if halves == 2 {
        user::copy_out_value(caller.cx, second(data)?, &high).map_err(errno)?;
    }
    Ok(())
}

pub fn capset(caller: &mut Caller<'_>, header: UserAddress, data: UserAddress) -> Result<(), Errno> {
    let (process, halves) = header_in(caller, header)?;
    if process != 0 && process != caller.task.id() {
        return Err(Errno::EPERM);
    }
    let [low, high] = halves_of(caller.credentials().is_privileged());
    let wanted_low: Half = user::copy_in_value(caller.cx, data).map_err(errno)?;
    let wanted_high = if halves == 2 { user::copy_in_value(caller.cx, second(data)?).map_err(errno)? } else { high };
    if is_same(wanted_low, low) && is_same(wanted_high, high) {
        return Ok(());
    }
    if !is_nothing(wanted_low) || !is_nothing(wanted_high) {
        return Err(Errno::EPERM);
    }
    let now = caller.credentials();
    caller.task.set_credentials(caller.cx, Arc::new(Credentials { has_renounced: true, ..(*now).clone() }));
    Ok(())
}

/// Whose rights, and in how many halves; tells an unknown version which one is known.
fn header_in(caller: &mut Caller<'_>, at: UserAddress) -> Result<(i32, usize), Errno> {
    let header: Header = user::copy_in_value(caller.cx, at).map_err(errno)?;
    let halves = match header.version {
        FIRST_VERSION => 1,
        SECOND_VERSION | THIRD_VERSION => 2,
        _ => {
            user::copy_out_value(caller.cx, at, &THIRD_VERSION).map_err(errno)?;
            return Err(Errno::EINVAL);
        }
    };
    if header.process < 0 { Err(Errno::EINVAL) } else { Ok((header.process, halves)) }
}

fn second(data: UserAddress) -> Result<UserAddress, Errno> {
    let at = data.as_u64().checked_add(size_of::<Half>() as u64).ok_or(Errno::EFAULT)?;
    Ok(UserAddress::new(at))
}

fn halves_of(privileged: bool) -> [Half; 2] {
    let all = if privileged { ALL } else { 0 };
    [all & u64::from(u32::MAX), all >> 32].map(|bits| {
        let bits = u32::try_from(bits).unwrap_or(u32::MAX);
        Half { effective: bits, permitted: bits, inheritable: 0 }
    })
}

const fn is_nothing(wanted: Half) -> bool {
    wanted.effective == 0 && wanted.permitted == 0
}

/// Rights above the last one, and what is inherited, make no difference.
fn is_same(wanted: Half, held: Half) -> bool {
    wanted.effective & held.permitted == held.effective
        && wanted.permitted & held.permitted == held.permitted
        && (held.permitted != 0 || (wanted.effective == 0 && wanted.permitted == 0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_privileged_hold_forty_one_rights_and_others_none() {
        assert_eq!(halves_of(true).map(|half| half.effective), [u32::MAX, 0x1ff]);
        assert_eq!(halves_of(false), [Half::default(); 2]);
    }

    #[test]
    fn giving_up_one_right_is_not_the_same() {
        let [low, high] = halves_of(true);
        assert!(is_same(low, low) && is_same(high, high));
        assert!(!is_same(Half { effective: low.effective & !1, ..low }, low));
    }

    #[test]
    fn the_unprivileged_cannot_gain_one() {
        let none = Half::default();
        assert!(is_same(none, none));
        assert!(!is_same(Half { permitted: 1, ..none }, none));
    }
}
