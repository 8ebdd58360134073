//! Copies across the wall, and single words that programs share with the kernel.
//!
//! Invariant: an address range is checked to lie in the user half before a byte of it is touched; a slice of user
//! memory is never made.

use crate::cpu::is_user_address;
use crate::trap::TrapFrame;

/// Some byte of the range is not the program's, or not as it was wanted.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Fault;

#[cfg(target_os = "none")]
mod door {
    core::arch::global_asm!(include_str!("copy.s"));

    /// A value in EAX, and in RDX whether all went well.
    #[repr(C)]
    pub struct Answer {
        pub value: u64,
        pub good: u64,
    }

    unsafe extern "C" {
        pub fn machine_user_copy(to: u64, from: u64, bytes: u64) -> Answer;
        pub fn machine_user_zero(at: u64, bytes: u64) -> Answer;
        pub fn machine_user_load(at: u64) -> Answer;
        pub fn machine_user_store(at: u64, value: u32) -> Answer;
        pub fn machine_user_compare_exchange(at: u64, expected: u32, new: u32) -> Answer;
        pub fn machine_user_exchange(at: u64, new: u32) -> Answer;
        pub fn machine_user_add(at: u64, amount: u32) -> Answer;
        pub fn machine_user_begin();
        pub fn machine_user_end();
        pub fn machine_user_failed();
    }
}

/// In tests nobody has user memory: everything faults.
#[cfg(not(target_os = "none"))]
mod door {
    pub struct Answer {
        pub value: u64,
        pub good: u64,
    }

    macro_rules! nothing_there {
        ($($name:ident($($argument:ident: $type:ty),*);)*) => { $(
            pub unsafe fn $name($(_: $type),*) -> Answer {
                Answer { value: 0, good: 0 }
            }
        )* };
    }

    nothing_there! {
        machine_user_copy(to: u64, from: u64, bytes: u64);
        machine_user_zero(at: u64, bytes: u64);
        machine_user_load(at: u64);
        machine_user_store(at: u64, value: u32);
        machine_user_compare_exchange(at: u64, expected: u32, new: u32);
        machine_user_exchange(at: u64, new: u32);
        machine_user_add(at: u64, amount: u32);
    }
}

impl door::Answer {
    fn result(self) -> Result<u32, Fault> {
        if self.good == 0 { Err(Fault) } else { Ok(self.value as u32) }
    }
}

/// Does the whole range lie in the user half?
fn check(at: u64, bytes: usize) -> Result<(), Fault> {
    let Some(last) = (bytes as u64).checked_sub(1) else { return Ok(()) };
    match at.checked_add(last) {
        Some(end) if is_user_address(end) => Ok(()),
        _ => Err(Fault),
    }
}

fn check_word(at: u64) -> Result<(), Fault> {
    if !at.is_multiple_of(4) {
        return Err(Fault);
    }
    check(at, 4)
}

/// Copies from the current program's memory. After a fault `into` holds any prefix of it.
pub fn copy_in(into: &mut [u8], from: u64) -> Result<(), Fault> {
    check(from, into.len())?;
    // SAFETY: `into` is writable for its length; the other side may fault, which is answered.
    unsafe { door::machine_user_copy(into.as_mut_ptr() as u64, from, into.len() as u64) }.result().map(drop)
}

/// Copies to the current program's memory. After a fault any prefix has been written.
pub fn copy_out(to: u64, bytes: &[u8]) -> Result<(), Fault> {
    check(to, bytes.len())?;
    // SAFETY: `bytes` is readable for its length; the other side is not the kernel's, and may fault.
    unsafe { door::machine_user_copy(to, bytes.as_ptr() as u64, bytes.len() as u64) }.result().map(drop)
}

/// Zeroes part of the current program's memory.
pub fn zero(at: u64, bytes: usize) -> Result<(), Fault> {
    check(at, bytes)?;
    // SAFETY: the range is not the kernel's, and may fault.
    unsafe { door::machine_user_zero(at, bytes as u64) }.result().map(drop)
}

/// A word of the program's, read in one piece. An unaligned address faults, here and below.
pub fn load(at: u64) -> Result<u32, Fault> {
    check_word(at)?;
    // SAFETY: as above.
    unsafe { door::machine_user_load(at) }.result()
}

pub fn store(at: u64, value: u32) -> Result<(), Fault> {
    check_word(at)?;
    // SAFETY: as above.
    unsafe { door::machine_user_store(at, value) }.result().map(drop)
}

/// Writes `new` if the word is `expected`, in one step with the whole machine. Returns what was there.
pub fn compare_exchange(at: u64, expected: u32, new: u32) -> Result<u32, Fault> {
    check_word(at)?;
    // SAFETY: as above.
    unsafe { door::machine_user_compare_exchange(at, expected, new) }.result()
}

/// Writes `new`; returns what was there.
pub fn exchange(at: u64, new: u32) -> Result<u32, Fault> {
    check_word(at)?;
    // SAFETY: as above.
    unsafe { door::machine_user_exchange(at, new) }.result()
}

/// Adds, wrapping; returns what was there.
pub fn add(at: u64, amount: u32) -> Result<u32, Fault> {
    check_word(at)?;
    // SAFETY: as above.
    unsafe { door::machine_user_add(at, amount) }.result()
}

/// Is the kernel's instruction at `rip` one that touches user memory on a program's behalf?
pub fn is_copying(rip: u64) -> bool {
    #[cfg(target_os = "none")]
    {
        let (begin, end) = (door::machine_user_begin as *const () as u64, door::machine_user_end as *const () as u64);
        (begin..end).contains(&rip)
    }
    #[cfg(not(target_os = "none"))]
    {
        let _ = rip;
        false
    }
}

/// The fault cannot be mended: if it came from a copy, lets that end with `Fault`. False when it did not.
pub fn fixup(frame: &mut TrapFrame) -> bool {
    let copying = frame.from_kernel() && is_copying(frame.rip);
    #[cfg(target_os = "none")]
    if copying {
        frame.rip = door::machine_user_failed as *const () as u64;
    }
    copying
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_that_leave_the_user_half_or_wrap_are_refused() {
        assert_eq!(check(0x7fff_ffff_efff, 1), Ok(()));
        assert_eq!(check(0x7fff_ffff_efff, 2), Err(Fault));
        assert_eq!(check(u64::MAX, 2), Err(Fault));
        assert_eq!(check(0x1000, usize::MAX), Err(Fault));
        assert_eq!(check(u64::MAX, 0), Ok(()));
        assert_eq!(check(0xffff_8000_0000_0000, 1), Err(Fault));
    }

    #[test]
    fn words_must_be_aligned() {
        assert_eq!(check_word(0x1002), Err(Fault));
        assert_eq!(check_word(0x1004), Ok(()));
    }
}
