//! mmap, munmap, mprotect, mremap, brk: the program's address space.
//!
//! Invariant: every number from the program is checked here before the address space sees it: lengths are rounded up to whole
//! pages without wrapping, and no request reaches above the user half.

use abi::Errno;
use abi::memory::{
    MAP_ANONYMOUS, MAP_FIXED, MAP_FIXED_NOREPLACE, MAP_HUGETLB, MAP_LOCKED, MAP_NORESERVE, MAP_POPULATE, MAP_PRIVATE, MAP_SHARED,
    MAP_SHARED_VALIDATE, MAP_TYPE, MREMAP_DONTUNMAP, MREMAP_FIXED, MREMAP_MAYMOVE, PROT_EXEC, PROT_GROWSDOWN, PROT_READ, PROT_WRITE,
};
use libkernel::address_space::{Backing, MapRequest, Placement, Protection, UserAddress};
use libkernel::error::KernelError;

use super::Caller;
use crate::error::errno;

const PAGE: u64 = 4096;
/// First address that no program may map.
pub(super) const USER_END: u64 = 0x7fff_ffff_f000;

/// What `mmap` was asked for, decoded and checked as far as that goes without looking at the process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct MapCall {
    address: u64,
    length: u64,
    protection: u32,
    shared: bool,
    anonymous: bool,
    fixed: bool,
    keep_others: bool,
    populate: bool,
    sparse: bool,
}

pub fn mmap(caller: &mut Caller<'_>, address: u64, length: u64, protection: u32, flags: u32, fd: i32, offset: u64) -> Result<u64, Errno> {
    let call = decode_map(address, length, protection, flags)?;
    if !offset.is_multiple_of(PAGE) {
        return Err(Errno::EINVAL);
    }
    let writes = protection & PROT_WRITE != 0;
    let backing = match (call.anonymous, call.shared) {
        (true, false) if call.sparse => Backing::SparseAnonymous,
        (true, false) => Backing::Anonymous,
        (true, true) => Backing::SharedAnonymous,
        (false, shared) => super::file::backing_for_map(caller, fd, offset, shared, writes)?,
    };
    let space = caller.space()?;
    let placement = placement(&call);
    let request = MapRequest { placement, length: call.length, protection: bits(call.protection), backing };
    let at = space.map(caller.cx, request).map_err(errno)?;
    if call.populate {
        super::memory_advice::touch(caller, at, call.length, writes);
    }
    Ok(at.as_u64())
}

pub fn munmap(caller: &mut Caller<'_>, address: u64, length: u64) -> Result<(), Errno> {
    let length = range(address, length)?;
    if length == 0 {
        return Err(Errno::EINVAL);
    }
    let space = caller.space()?;
    space.unmap(caller.cx, UserAddress::new(address), length).map_err(errno)
}

pub fn mprotect(caller: &mut Caller<'_>, address: u64, length: u64, protection: u32) -> Result<(), Errno> {
    if protection & !(PROT_READ | PROT_WRITE | PROT_EXEC | PROT_GROWSDOWN) != 0 {
        return Err(Errno::EINVAL);
    }
    if !address.is_multiple_of(PAGE) {
        return Err(Errno::EINVAL);
    }
    if length == 0 {
        return Ok(());
    }
    let length = range(address, length).map_err(|_| Errno::ENOMEM)?;
    let space = caller.space()?;
    space.protect(caller.cx, UserAddress::new(address), length, bits(protection)).map_err(not_mapped_is(Errno::ENOMEM))
}

pub fn mremap(caller: &mut Caller<'_>, old: u64, old_length: u64, new_length: u64, flags: u32, new: u64) -> Result<u64, Errno> {
    let known = MREMAP_MAYMOVE | MREMAP_FIXED;
    if flags & MREMAP_DONTUNMAP != 0 || flags & !known != 0 {
        return Err(Errno::EINVAL);
    }
    let fixed = flags & MREMAP_FIXED != 0;
    if fixed && flags & MREMAP_MAYMOVE == 0 {
        return Err(Errno::EINVAL);
    }
    let new_length = whole_pages(new_length).filter(|&length| length > 0 && length <= USER_END).ok_or(Errno::EINVAL)?;
    if !old.is_multiple_of(PAGE) || (fixed && range(new, new_length).is_err()) {
        return Err(Errno::EINVAL);
    }
    // Where nothing is mapped is a bad address before a bad length.
    let old_length = range(old, old_length).map_err(|_| Errno::EFAULT)?;
    let target = fixed.then(|| UserAddress::new(new));
    let space = caller.space()?;
    if old_length == 0 {
        let is_there = space.is_mapped(caller.cx, UserAddress::new(old), 1);
        return Err(if is_there { Errno::EINVAL } else { Errno::EFAULT });
    }
    let may_move = flags & MREMAP_MAYMOVE != 0;
    let at = space.remap(caller.cx, UserAddress::new(old), old_length, new_length, may_move, target);
    let at = at.map_err(not_mapped_is(Errno::EFAULT))?;
    Ok(at.as_u64())
}

/// Never fails: gives back where the break is now.
pub fn brk(caller: &mut Caller<'_>, wanted: u64) -> Result<u64, Errno> {
    let space = caller.space()?;
    let wanted = (wanted != 0).then(|| UserAddress::new(wanted));
    Ok(space.set_break(caller.cx, wanted).as_u64())
}

/// What a gap in the range is to the program: each call has its own number for it.
pub(super) fn not_mapped_is(gap: Errno) -> impl Fn(KernelError) -> Errno {
    move |error| match error {
        KernelError::NotFound | KernelError::BadAddress => gap,
        other => errno(other),
    }
}

fn decode_map(address: u64, length: u64, protection: u32, flags: u32) -> Result<MapCall, Errno> {
    let shared = match flags & MAP_TYPE {
        MAP_PRIVATE => false,
        MAP_SHARED | MAP_SHARED_VALIDATE => true,
        _ => return Err(Errno::EINVAL),
    };
    if flags & MAP_HUGETLB != 0 || protection & !(PROT_READ | PROT_WRITE | PROT_EXEC) != 0 {
        return Err(Errno::EINVAL);
    }
    if length == 0 {
        return Err(Errno::EINVAL);
    }
    let length = whole_pages(length).filter(|&length| length <= USER_END).ok_or(Errno::ENOMEM)?;
    let fixed = flags & (MAP_FIXED | MAP_FIXED_NOREPLACE) != 0;
    if fixed {
        if address.checked_add(length).is_none_or(|end| end > USER_END) {
            return Err(Errno::ENOMEM);
        }
        if !address.is_multiple_of(PAGE) {
            return Err(Errno::EINVAL);
        }
    }
    Ok(MapCall {
        address,
        length,
        protection,
        shared,
        anonymous: flags & MAP_ANONYMOUS != 0,
        fixed,
        keep_others: flags & MAP_FIXED_NOREPLACE != 0,
        populate: flags & (MAP_POPULATE | MAP_LOCKED) != 0,
        sparse: flags & MAP_NORESERVE != 0,
    })
}

fn placement(call: &MapCall) -> Placement {
    let address = UserAddress::new(call.address);
    match (call.fixed, call.keep_others) {
        (true, true) => Placement::FixedNoReplace(address),
        (true, false) => Placement::Fixed(address),
        (false, _) => {
            let hint = call.address & !(PAGE - 1);
            Placement::Anywhere((hint != 0).then(|| UserAddress::new(hint)))
        }
    }
}

fn bits(protection: u32) -> Protection {
    Protection { read: protection & PROT_READ != 0, write: protection & PROT_WRITE != 0, execute: protection & PROT_EXEC != 0 }
}

/// The length in whole pages of a range that begins on a page and lies in the user half.
pub(super) fn range(address: u64, length: u64) -> Result<u64, Errno> {
    if !address.is_multiple_of(PAGE) {
        return Err(Errno::EINVAL);
    }
    let length = whole_pages(length).ok_or(Errno::EINVAL)?;
    match address.checked_add(length) {
        Some(end) if end <= USER_END => Ok(length),
        _ => Err(Errno::EINVAL),
    }
}

/// Rounded up; `None` when that does not fit a word.
fn whole_pages(length: u64) -> Option<u64> {
    length.checked_next_multiple_of(PAGE)
}

#[cfg(test)]
mod tests {
    use super::*;

    const PRIVATE: u32 = MAP_PRIVATE | MAP_ANONYMOUS;

    #[test]
    fn a_length_that_wraps_is_refused() {
        assert_eq!(decode_map(0, u64::MAX, PROT_READ, PRIVATE), Err(Errno::ENOMEM));
        assert_eq!(range(PAGE, u64::MAX), Err(Errno::EINVAL));
        assert_eq!(range(PAGE, u64::MAX - PAGE), Err(Errno::EINVAL));
    }

    #[test]
    fn an_empty_mapping_is_refused() {
        assert_eq!(decode_map(0, 0, PROT_READ, PRIVATE), Err(Errno::EINVAL));
    }

    #[test]
    fn one_of_shared_and_private_must_be_named() {
        assert_eq!(decode_map(0, 1, PROT_READ, MAP_ANONYMOUS), Err(Errno::EINVAL));
        assert!(decode_map(0, 1, PROT_READ, MAP_SHARED | MAP_ANONYMOUS).is_ok_and(|call| call.shared));
    }

    #[test]
    fn a_fixed_mapping_begins_on_a_page_and_ends_in_the_user_half() {
        assert_eq!(decode_map(1, 1, PROT_READ, PRIVATE | MAP_FIXED), Err(Errno::EINVAL));
        assert_eq!(decode_map(USER_END, 1, PROT_READ, PRIVATE | MAP_FIXED), Err(Errno::ENOMEM));
        assert!(decode_map(USER_END - PAGE, 1, PROT_READ, PRIVATE | MAP_FIXED).is_ok());
    }

    #[test]
    fn a_range_is_rounded_up_to_whole_pages() {
        assert_eq!(range(PAGE, 1), Ok(PAGE));
        assert_eq!(range(PAGE + 1, 1), Err(Errno::EINVAL));
        assert_eq!(range(0, 0), Ok(0));
    }
}
