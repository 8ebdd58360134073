//! Memory from nothing: what the loader reported becomes frames, the kernel's tables and the heap.
//!
//! Invariant: memory that the kernel image, the initial root or the records themselves stand in is never given
//! to the allocator; frames that the early window does not show are given only after the real one is loaded.

use super::frames::{self, TableFrames};
use super::kernel_map;
use arrayvec::ArrayVec;
use core::ops::Range;
use machine::addr::{PAGE_SIZE, PhysAddr};
use machine::boot::BootInfo;

/// What the early page tables show of memory.
const EARLY_WINDOW: u64 = 4 << 30;
/// The first megabyte belongs to the firmware and to the CPUs' start code.
const LOW_MEMORY: u64 = 1 << 20;
/// With fewer frames nothing could be done but run out of them.
const LEAST_FRAMES: u64 = 768;
const MAXIMUM_HOLES: usize = 8;

type Holes = ArrayVec<Range<u64>, MAXIMUM_HOLES>;

/// Calls `visit` with each part of `range` that no hole covers. Holes are in ascending order.
fn outside(range: Range<u64>, holes: &[Range<u64>], mut visit: impl FnMut(Range<u64>)) {
    let mut from = range.start;
    for hole in holes {
        let (start, end) = (hole.start.clamp(from, range.end.max(from)), hole.end.clamp(from, range.end.max(from)));
        if from < start {
            visit(from..start);
        }
        from = from.max(end);
    }
    if from < range.end {
        visit(from..range.end);
    }
}

fn page_range(from: u64, to: u64) -> Range<u64> {
    let page = PAGE_SIZE as u64;
    from / page * page..to.next_multiple_of(page)
}

fn holes(info: &BootInfo) -> Holes {
    let mut holes = Holes::new();
    holes.push(0..LOW_MEMORY);
    holes.push(page_range(info.image.0.as_u64(), info.image.1.as_u64()));
    if let Some((at, length)) = info.initial_root {
        holes.push(page_range(at.as_u64(), at.as_u64().saturating_add(length)));
    }
    holes.sort_unstable_by_key(|hole| hole.start);
    holes
}

/// Where `bytes` bytes of bookkeeping can stand, inside the early window.
fn find_room(info: &BootInfo, holes: &[Range<u64>], bytes: u64) -> Option<u64> {
    let mut found = None;
    for region in info.usable() {
        outside(region, holes, |part| {
            let part = part.start.next_multiple_of(PAGE_SIZE as u64)..part.end.min(EARLY_WINDOW);
            if found.is_none() && part.end.saturating_sub(part.start) >= bytes {
                found = Some(part.start);
            }
        });
    }
    found
}

/// Frames, the kernel's page tables, the heap: all of it usable afterwards. Called once, on the boot CPU.
#[allow(unsafe_code)]
pub fn initialise(info: &BootInfo) {
    let mut holes = holes(info);
    let end = info.usable().map(|region| region.end).max().unwrap_or(0);
    let frame_count = (end / PAGE_SIZE as u64) as usize;
    let bytes = frames::bookkeeping_bytes(frame_count) as u64;
    let Some(place) = find_room(info, &holes, bytes) else {
        panic!("too little memory: no room for the records of {frame_count} frames beside the kernel and the initial root");
    };
    // SAFETY: usable memory inside the early window, outside every hole; becomes a hole itself below.
    unsafe { frames::start(frame_count, PhysAddr::new(place)) };
    holes.push(page_range(place, place + bytes));
    holes.sort_unstable_by_key(|hole| hole.start);
    add_memory(info, &holes, 0..EARLY_WINDOW);
    let free = frames::statistics().free;
    assert!(
        free >= LEAST_FRAMES,
        "too little memory: {} KiB are left beside the kernel and the initial root, and {} are needed",
        free * 4,
        LEAST_FRAMES * 4
    );
    kernel_map::initialise(machine::paging::kernel_space::build(end, &mut TableFrames));
    add_memory(info, &holes, EARLY_WINDOW..u64::MAX);
}

fn add_memory(info: &BootInfo, holes: &[Range<u64>], within: Range<u64>) {
    for region in info.usable() {
        let region = region.start.max(within.start)..region.end.min(within.end);
        outside(region, holes, frames::add);
    }
}

/// The initial root has been unpacked: its memory is free.
pub fn release_initial_root(at: PhysAddr, length: u64) {
    frames::add(at.as_u64().max(LOW_MEMORY)..at.as_u64().saturating_add(length));
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::vec::Vec;

    fn parts(range: Range<u64>, holes: &[Range<u64>]) -> Vec<Range<u64>> {
        let mut parts = Vec::new();
        outside(range, holes, |part| parts.push(part));
        parts
    }

    #[test]
    fn what_holes_cover_is_left_out() {
        let two = [10..20, 30..40];
        assert_eq!(parts(0..100, &two), [0..10, 20..30, 40..100]);
        assert_eq!(parts(15..35, &two).first(), Some(&(20..30)));
        assert_eq!(parts(12..18, &two), []);
        assert_eq!(parts(22..28, &two).first(), Some(&(22..28)));
        assert_eq!(parts(0..100, &[0..50, 20..60, 90..200]).first(), Some(&(60..90)));
    }
}
