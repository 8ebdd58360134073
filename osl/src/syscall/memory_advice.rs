//! madvise, msync, mincore, mlock: calls about memory that is mapped already.
//!
//! Invariant: advice never changes what a program reads, except where Linux says so (`MADV_DONTNEED`).

use abi::Errno;
use abi::constant;
use abi::memory::{MS_ASYNC, MS_INVALIDATE, MS_SYNC};
use abi::process::limit;
use alloc::vec::Vec;
use libkernel::address_space::{UserAddress, user};

use super::Caller;
use super::memory::{USER_END, not_mapped_is, range};
use crate::error::errno;

const PAGE: u64 = 4096;
/// `mincore` answers in pieces of so many pages.
const PIECE: usize = 4096;

pub fn madvise(caller: &mut Caller<'_>, address: u64, length: u64, advice: u32) -> Result<(), Errno> {
    let length = range(address, length)?;
    match advice {
        constant::MADV_DONTNEED | constant::MADV_DONTNEED_LOCKED | constant::MADV_FREE if length > 0 => {
            let space = caller.space()?;
            space.discard(caller.cx, UserAddress::new(address), length).map_err(not_mapped_is(Errno::ENOMEM))
        }
        constant::MADV_POPULATE_READ | constant::MADV_POPULATE_WRITE => {
            let write = advice == constant::MADV_POPULATE_WRITE;
            if touch(caller, UserAddress::new(address), length, write) { Ok(()) } else { Err(Errno::ENOMEM) }
        }
        constant::MADV_DONTNEED
        | constant::MADV_DONTNEED_LOCKED
        | constant::MADV_FREE
        | constant::MADV_NORMAL
        | constant::MADV_RANDOM
        | constant::MADV_SEQUENTIAL
        | constant::MADV_WILLNEED
        | constant::MADV_HUGEPAGE
        | constant::MADV_NOHUGEPAGE
        | constant::MADV_MERGEABLE
        | constant::MADV_UNMERGEABLE
        | constant::MADV_DONTDUMP
        | constant::MADV_DODUMP
        | constant::MADV_COLD
        | constant::MADV_PAGEOUT => Ok(()),
        // Refused rather than ignored: a program that asks for these relies on them.
        _ => Err(Errno::EINVAL),
    }
}

/// Files live in memory, so there is nothing to write back; the range must be mapped all the same.
pub fn msync(caller: &mut Caller<'_>, address: u64, length: u64, flags: u32) -> Result<(), Errno> {
    let both = MS_ASYNC | MS_SYNC;
    if flags & !(both | MS_INVALIDATE) != 0 || flags & both == both {
        return Err(Errno::EINVAL);
    }
    let length = range(address, length).map_err(|_| if address.is_multiple_of(PAGE) { Errno::ENOMEM } else { Errno::EINVAL })?;
    mapped(caller, address, length)
}

/// Every mapped page counts as in memory: there is no disk that it could be on instead.
pub fn mincore(caller: &mut Caller<'_>, address: u64, length: u64, result: UserAddress) -> Result<(), Errno> {
    let length = range(address, length).map_err(|_| if address.is_multiple_of(PAGE) { Errno::ENOMEM } else { Errno::EINVAL })?;
    mapped(caller, address, length)?;
    let pages = usize::try_from(length / PAGE).map_err(|_| Errno::ENOMEM)?;
    let ones = [1_u8; PIECE];
    let mut done = 0;
    while let Some(part) = ones.get(..PIECE.min(pages - done)).filter(|part| !part.is_empty()) {
        let place = result.as_u64().checked_add(done as u64).ok_or(Errno::EFAULT)?;
        user::copy_out(caller.cx, UserAddress::new(place), part).map_err(errno)?;
        done += part.len();
    }
    Ok(())
}

/// Nothing is ever moved out of memory, so a lock only has to bring the pages in.
pub fn mlock(caller: &mut Caller<'_>, address: u64, length: u64) -> Result<(), Errno> {
    let start = address & !(PAGE - 1);
    let length = length.checked_add(address - start).ok_or(Errno::EINVAL)?;
    let length = range(start, length)?;
    let granted = caller.process().soft_limit(caller.cx, limit::LOCKED_MEMORY);
    if !caller.credentials().is_privileged() {
        if granted == 0 {
            return Err(Errno::EPERM);
        }
        if length > granted {
            return Err(Errno::ENOMEM);
        }
    }
    mapped(caller, start, length)?;
    touch(caller, UserAddress::new(start), length, false);
    Ok(())
}

pub fn mlock2(caller: &mut Caller<'_>, address: u64, length: u64, flags: u32) -> Result<(), Errno> {
    if flags & !constant::MLOCK_ONFAULT != 0 {
        return Err(Errno::EINVAL);
    }
    mlock(caller, address, length)
}

pub fn munlock(caller: &mut Caller<'_>, address: u64, length: u64) -> Result<(), Errno> {
    let start = address & !(PAGE - 1);
    let length = length.checked_add(address - start).ok_or(Errno::EINVAL)?;
    let length = range(start, length)?;
    mapped(caller, start, length)
}

pub fn mlockall(caller: &mut Caller<'_>, flags: u32) -> Result<(), Errno> {
    let known = constant::MCL_CURRENT | constant::MCL_FUTURE | constant::MCL_ONFAULT;
    if flags == 0 || flags & !known != 0 || flags == constant::MCL_ONFAULT {
        return Err(Errno::EINVAL);
    }
    let granted = caller.process().soft_limit(caller.cx, limit::LOCKED_MEMORY);
    if caller.credentials().is_privileged() || granted > 0 { Ok(()) } else { Err(Errno::EPERM) }
}

/// Brings pages in by reading them once (or writing back what was read); gives back whether all came.
pub(super) fn touch(caller: &mut Caller<'_>, start: UserAddress, length: u64, write: bool) -> bool {
    let mut at = start.as_u64();
    let end = at.saturating_add(length).min(USER_END);
    while at < end {
        let Ok(space) = caller.space() else { return false };
        if space.bring_in(caller.cx, UserAddress::new(at), write).is_err() {
            return false;
        }
        at = at.saturating_add(PAGE);
    }
    true
}

/// `ENOMEM` unless every page of the range is mapped.
fn mapped(caller: &mut Caller<'_>, address: u64, length: u64) -> Result<(), Errno> {
    let space = caller.space()?;
    let regions: Vec<(u64, u64)> = space.regions(caller.cx).iter().map(|region| (region.start.as_u64(), region.end.as_u64())).collect();
    let end = address.checked_add(length).ok_or(Errno::ENOMEM)?;
    if covers(&regions, address, end) { Ok(()) } else { Err(Errno::ENOMEM) }
}

/// Whether sorted regions leave no gap between `start` and `end`.
fn covers(regions: &[(u64, u64)], start: u64, end: u64) -> bool {
    let mut reached = start;
    for &(first, last) in regions {
        if first <= reached && reached < last {
            reached = last;
        }
    }
    reached >= end
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_gap_is_not_covered() {
        let regions = [(0x1000, 0x3000), (0x3000, 0x4000), (0x6000, 0x7000)];
        assert!(covers(&regions, 0x1000, 0x4000));
        assert!(covers(&regions, 0x2000, 0x2000));
        assert!(!covers(&regions, 0x2000, 0x5000));
        assert!(!covers(&regions, 0x5000, 0x7000));
    }
}
