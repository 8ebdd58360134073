//! madvise, msync, mincore, mlock: calls about memory that is mapped already.
//!
//! Invariant: advice never changes what a program reads, except where Linux says so (`MADV_DONTNEED`).

use abi::Errno;
use abi::constant;
use abi::memory::{MS_ASYNC, MS_INVALIDATE, MS_SYNC};
use abi::process::limit;
use libkernel::address_space::large::LargeUse;
use libkernel::address_space::{UserAddress, user};

use super::Caller;
use super::memory::{USER_END, not_mapped_is, range};
use crate::error::errno;

const PAGE: u64 = 4096;
/// `mincore` answers in pieces of so many pages.
const PIECE: usize = 4096;

/// Others are refused rather than ignored: a program that asks for those relies on them.
const KNOWN: [u32; 17] = [
    constant::MADV_DONTNEED,
    constant::MADV_DONTNEED_LOCKED,
    constant::MADV_FREE,
    constant::MADV_POPULATE_READ,
    constant::MADV_POPULATE_WRITE,
    constant::MADV_NORMAL,
    constant::MADV_RANDOM,
    constant::MADV_SEQUENTIAL,
    constant::MADV_WILLNEED,
    constant::MADV_HUGEPAGE,
    constant::MADV_NOHUGEPAGE,
    constant::MADV_MERGEABLE,
    constant::MADV_UNMERGEABLE,
    constant::MADV_DONTDUMP,
    constant::MADV_DODUMP,
    constant::MADV_COLD,
    constant::MADV_PAGEOUT,
];

pub fn madvise(caller: &mut Caller<'_>, address: u64, length: u64, advice: u32) -> Result<(), Errno> {
    if !KNOWN.contains(&advice) {
        return Err(Errno::EINVAL);
    }
    let extent = Extent::of(address, length).filter(|extent| extent.length > 0 || length == 0).ok_or(Errno::EINVAL)?;
    if extent.length == 0 {
        return Ok(());
    }
    match advice {
        constant::MADV_DONTNEED | constant::MADV_DONTNEED_LOCKED | constant::MADV_FREE => {
            // What is mapped of it goes, also when not all of it is.
            let space = caller.space()?;
            let inside = extent.length.min(USER_END.saturating_sub(address));
            if inside > 0 {
                let start = UserAddress::new(address);
                let done = match advice {
                    constant::MADV_FREE => space.discard_zeroes(caller.cx, start, inside),
                    _ => space.discard(caller.cx, start, inside),
                };
                done.map_err(not_mapped_is(Errno::ENOMEM))?;
            }
            if inside == extent.length { Ok(()) } else { Err(Errno::ENOMEM) }
        }
        constant::MADV_POPULATE_READ | constant::MADV_POPULATE_WRITE => {
            let write = advice == constant::MADV_POPULATE_WRITE;
            let is_inside = range(address, extent.length).is_ok();
            if is_inside && touch(caller, UserAddress::new(address), extent.length, write) { Ok(()) } else { Err(Errno::ENOMEM) }
        }
        constant::MADV_HUGEPAGE => use_large(caller, extent, LargeUse::Wanted),
        constant::MADV_NOHUGEPAGE => use_large(caller, extent, LargeUse::Refused),
        _ => mapped(caller, extent),
    }
}

/// What is mapped of it is marked, also when not all of it is.
fn use_large(caller: &mut Caller<'_>, extent: Extent, large: LargeUse) -> Result<(), Errno> {
    let inside = extent.length.min(USER_END.saturating_sub(extent.start));
    if inside > 0 {
        let space = caller.space()?;
        space.use_large(caller.cx, UserAddress::new(extent.start), inside, large).map_err(not_mapped_is(Errno::ENOMEM))?;
    }
    if inside == extent.length { Ok(()) } else { Err(Errno::ENOMEM) }
}

/// Files live in memory, so there is nothing to write back; the range must be mapped all the same.
pub fn msync(caller: &mut Caller<'_>, address: u64, length: u64, flags: u32) -> Result<(), Errno> {
    let both = MS_ASYNC | MS_SYNC;
    if flags & !(both | MS_INVALIDATE) != 0 || flags & both == both || !address.is_multiple_of(PAGE) {
        return Err(Errno::EINVAL);
    }
    let extent = Extent::of(address, length).ok_or(Errno::ENOMEM)?;
    mapped(caller, extent)
}

/// One byte for each page. What lies before a gap has been told when the gap is found.
pub fn mincore(caller: &mut Caller<'_>, address: u64, length: u64, result: UserAddress) -> Result<(), Errno> {
    let length = range(address, length).map_err(|_| if address.is_multiple_of(PAGE) { Errno::ENOMEM } else { Errno::EINVAL })?;
    let pages = length / PAGE;
    if result.as_u64().checked_add(pages).is_none_or(|end| end > USER_END) {
        return Err(Errno::EFAULT);
    }
    let mut done = 0;
    while done < pages {
        let at = UserAddress::new(address + done * PAGE);
        let most = usize::try_from(pages - done).unwrap_or(PIECE).min(PIECE);
        let space = caller.space()?;
        let answers = space.pages_in_memory(caller.cx, at, most).map_err(errno)?;
        user::copy_out(caller.cx, UserAddress::new(result.as_u64() + done), &answers).map_err(errno)?;
        done += answers.len() as u64;
    }
    Ok(())
}

/// Nothing is ever moved out of memory, so a lock only has to bring the pages in.
pub fn mlock(caller: &mut Caller<'_>, address: u64, length: u64) -> Result<(), Errno> {
    let granted = caller.process().soft_limit(caller.cx, limit::LOCKED_MEMORY);
    if !caller.credentials().is_privileged() {
        if granted == 0 {
            return Err(Errno::EPERM);
        }
        if whole_pages(length.wrapping_add(address % PAGE)) > granted {
            return Err(Errno::ENOMEM);
        }
    }
    let extent = Extent::around(address, length).ok_or(Errno::EINVAL)?;
    mapped(caller, extent)?;
    touch(caller, UserAddress::new(extent.start), extent.length, false);
    Ok(())
}

pub fn mlock2(caller: &mut Caller<'_>, address: u64, length: u64, flags: u32) -> Result<(), Errno> {
    if flags & !constant::MLOCK_ONFAULT != 0 {
        return Err(Errno::EINVAL);
    }
    mlock(caller, address, length)
}

pub fn munlock(caller: &mut Caller<'_>, address: u64, length: u64) -> Result<(), Errno> {
    mapped(caller, Extent::around(address, length).ok_or(Errno::EINVAL)?)
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

/// `ENOMEM` unless every page of it is mapped.
fn mapped(caller: &mut Caller<'_>, extent: Extent) -> Result<(), Errno> {
    let Extent { start, length } = extent;
    if length == 0 {
        return Ok(());
    }
    let space = caller.space()?;
    if space.is_mapped(caller.cx, UserAddress::new(start), length) { Ok(()) } else { Err(Errno::ENOMEM) }
}

/// Rounded up; as on Linux, a length that wraps then is none.
fn whole_pages(length: u64) -> u64 {
    length.checked_next_multiple_of(PAGE).unwrap_or(0)
}

/// Whole pages, wherever they are; their end does not wrap.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct Extent {
    start: u64,
    length: u64,
}

impl Extent {
    fn of(start: u64, length: u64) -> Option<Self> {
        let length = whole_pages(length);
        let is_sound = start.is_multiple_of(PAGE) && start.checked_add(length).is_some();
        is_sound.then_some(Self { start, length })
    }

    /// With the whole of the pages that it begins and ends in.
    fn around(address: u64, length: u64) -> Option<Self> {
        Self::of(address / PAGE * PAGE, length.wrapping_add(address % PAGE))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_extent_is_whole_pages_and_does_not_wrap() {
        assert_eq!(Extent::of(0x1000, 1), Some(Extent { start: 0x1000, length: 0x1000 }));
        assert_eq!(Extent::of(0x1001, 1), None);
        assert_eq!(Extent::of(0x1000, u64::MAX), Some(Extent { start: 0x1000, length: 0 }));
        assert_eq!(Extent::of(u64::MAX - 0xfff, 0x1000), None);
        assert_eq!(Extent::around(0x1fff, 2), Some(Extent { start: 0x1000, length: 0x2000 }));
    }
}
