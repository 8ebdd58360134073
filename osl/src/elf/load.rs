//! The plan, mapped into an address space that no thread uses yet.
//!
//! Invariant: what a piece has in memory beyond its bytes in the file is zero, whatever the file holds behind them.

use alloc::sync::Arc;

use libkernel::KernelError;
use libkernel::address_space::{AddressSpace, Backing, MapRequest, PageSource, Placement, Protection, UserAddress};
use sync::TaskContext;

use super::header::{EXECUTE, READ, WRITE};
use super::parse::{Image, PAGE, Segment, USER_END};

/// A mapped program.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Loaded {
    /// What was added to every address.
    pub base: u64,
    /// Its first instruction.
    pub entry: u64,
    /// Its program headers in memory, 0 if they are not there.
    pub headers: u64,
    /// The end of its last page.
    pub end: u64,
}

/// Maps all pieces, `base` higher than they ask for.
pub fn load(
    cx: &mut TaskContext,
    space: &AddressSpace,
    image: &Image,
    file: &Arc<dyn PageSource>,
    base: u64,
) -> Result<Loaded, KernelError> {
    let (_, end) = image.span();
    if end.checked_add(base).is_none_or(|end| end > USER_END) {
        return Err(KernelError::NoMemory);
    }
    for segment in &image.segments {
        map_segment(cx, space, segment, file, base)?;
    }
    let headers = if image.headers == 0 { 0 } else { image.headers.wrapping_add(base) };
    Ok(Loaded { base, entry: image.entry + base, headers, end: end + base })
}

fn protection(flags: u32) -> Protection {
    Protection { read: flags & READ != 0, write: flags & WRITE != 0, execute: flags & EXECUTE != 0 }
}

fn page_up(address: u64) -> u64 {
    (address + PAGE - 1) & !(PAGE - 1)
}

fn map_segment(
    cx: &mut TaskContext,
    space: &AddressSpace,
    segment: &Segment,
    file: &Arc<dyn PageSource>,
    base: u64,
) -> Result<(), KernelError> {
    let wanted = protection(segment.flags);
    let (start, end) = (segment.start() + base, segment.end() + base);
    let file_end = segment.address + segment.file_bytes + base;
    let file_pages_end = if segment.file_bytes == 0 { start } else { page_up(file_end) };
    let has_tail = segment.memory_bytes > segment.file_bytes && file_end < file_pages_end;
    if file_pages_end > start {
        let first_page = (segment.offset & !(PAGE - 1)) / PAGE;
        let backing = Backing::Source { source: file.clone(), first_page, shared: false };
        let first = if has_tail { Protection { write: true, ..wanted } } else { wanted };
        map(cx, space, start, file_pages_end, first, backing)?;
    }
    if has_tail {
        let zeros = alloc::vec![0; usize::try_from(file_pages_end - file_end).unwrap_or(0)];
        space.write(cx, UserAddress::new(file_end), &zeros)?;
        if !wanted.write {
            space.protect(cx, UserAddress::new(start), file_pages_end - start, wanted)?;
        }
    }
    if end > file_pages_end {
        map(cx, space, file_pages_end, end, wanted, Backing::Anonymous)?;
    }
    Ok(())
}

fn map(
    cx: &mut TaskContext,
    space: &AddressSpace,
    start: u64,
    end: u64,
    protection: Protection,
    backing: Backing,
) -> Result<(), KernelError> {
    let request = MapRequest { placement: Placement::FixedNoReplace(UserAddress::new(start)), length: end - start, protection, backing };
    space.map(cx, request).map(|_| ())
}
