//! rseq: a thread names the area by which it and the kernel speak of its restartable sequences.
//!
//! Invariant: a thread has one area at most; what is registered fits below the end of the program's memory, and could be read.

use abi::Errno;
use abi::sequence::{ALIGNMENT, FEATURE_BYTES, NO_CPU, ORIGINAL_BYTES, UNREGISTER};
use libkernel::address_space::UserAddress;
use libkernel::thread;
use libkernel::thread::registers::USER_END;

use super::super::Caller;
use crate::process::sequences::Registration;
use crate::signal::sequence;

pub fn rseq(caller: &mut Caller<'_>, area: UserAddress, length: u32, flags: i32, signature: u32) -> Result<(), Errno> {
    let wanted = Registration { area: area.as_u64(), length, signature };
    match (flags, caller.task.sequences.registration()) {
        (UNREGISTER, own) => unregister(caller, own, wanted),
        (0, Some(own)) => Err(same(own, wanted).err().unwrap_or(Errno::EBUSY)),
        (0, None) => register(caller, wanted),
        _ => Err(Errno::EINVAL),
    }
}

fn register(caller: &mut Caller<'_>, wanted: Registration) -> Result<(), Errno> {
    check(wanted)?;
    // Libraries that use an area again for a new thread have left its last section there.
    if sequence::section_at(caller.cx, wanted.area)? != 0 {
        sequence::clear_section(caller.cx, wanted.area)?;
    }
    caller.task.sequences.register(Some(wanted));
    thread::user::tell_absence(caller.cx, true);
    Ok(())
}

fn unregister(caller: &mut Caller<'_>, own: Option<Registration>, wanted: Registration) -> Result<(), Errno> {
    same(own.ok_or(Errno::EINVAL)?, wanted)?;
    sequence::tell(caller.cx, wanted.area, 0, NO_CPU, 0)?;
    caller.task.sequences.register(None);
    thread::user::tell_absence(caller.cx, false);
    Ok(())
}

fn same(own: Registration, wanted: Registration) -> Result<(), Errno> {
    if (own.area, own.length) != (wanted.area, wanted.length) {
        return Err(Errno::EINVAL);
    }
    if own.signature == wanted.signature { Ok(()) } else { Err(Errno::EPERM) }
}

fn check(wanted: Registration) -> Result<(), Errno> {
    let (alignment, least) =
        if wanted.length == ORIGINAL_BYTES { (ORIGINAL_BYTES, ORIGINAL_BYTES) } else { (ALIGNMENT, FEATURE_BYTES.max(ORIGINAL_BYTES)) };
    if wanted.length < least || !wanted.area.is_multiple_of(u64::from(alignment)) {
        return Err(Errno::EINVAL);
    }
    let end = wanted.area.checked_add(u64::from(wanted.length));
    if end.is_some_and(|end| end <= USER_END) { Ok(()) } else { Err(Errno::EFAULT) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_area_is_large_enough_aligned_and_the_programs() {
        let at = |area, length| check(Registration { area, length, signature: 0 });
        assert_eq!(at(0x1000, 32), Ok(()));
        assert_eq!(at(0x1020, 33), Ok(()));
        assert_eq!(at(0x1000, 31), Err(Errno::EINVAL));
        assert_eq!(at(0x1010, 32), Err(Errno::EINVAL));
        assert_eq!(at(USER_END, 32), Err(Errno::EFAULT));
        assert_eq!(at(u64::MAX - 31, 32), Err(Errno::EFAULT));
    }

    #[test]
    fn another_area_is_wrong_before_another_signature_is() {
        let own = Registration { area: 64, length: 32, signature: 7 };
        assert_eq!(same(own, own), Ok(()));
        assert_eq!(same(own, Registration { signature: 8, ..own }), Err(Errno::EPERM));
        assert_eq!(same(own, Registration { length: 64, signature: 8, ..own }), Err(Errno::EINVAL));
        assert_eq!(same(own, Registration { area: 128, ..own }), Err(Errno::EINVAL));
    }
}
