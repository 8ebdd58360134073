//! What the loader told us, as a plain struct.
//!
//! Invariant: everything is copied out of the loader's memory and checked; only the initial root stays where it is.

use super::memory_map::{Line, MemoryMap, Parts};
use crate::acpi::Memory;
use crate::addr::PhysAddr;
use core::ops::Range;
use sync::Once;

/// `xen/include/public/arch-x86/hvm/start_info.h`
const MAGIC: u32 = 0x336e_c578;
const HEAD: usize = 56;
const MODULE: usize = 32;
const MAP_LINE: u64 = 24;
const MAXIMUM_LINES: u32 = 512;
const RAM: u32 = 1;

const COMMAND_LINE: usize = 4096;
/// Where real-mode code can run: the first 640 KiB without the interrupt table and what firmware keeps beside it.
const LOW_MEMORY: Range<u64> = 0x1000..0x9_f000;
const USUAL_PAGE: u64 = 0x8000;

/// What `kernel_main` begins with.
#[derive(Clone, Debug)]
pub struct BootInfo {
    usable: Parts,
    pub command_line: &'static str,
    /// The first module: address and length in bytes.
    pub initial_root: Option<(PhysAddr, u64)>,
    /// The firmware's root pointer (RSDP), for `acpi::read`.
    pub root_pointer: Option<PhysAddr>,
    /// Where the kernel itself lies: first byte, and one past the last page.
    pub image: (PhysAddr, PhysAddr),
    /// The time-stamp counter at the kernel's first instruction.
    pub entry_ticks: u64,
    /// Number of a page below 1 MiB for the other CPUs' first instructions.
    pub(super) low_page: Option<u8>,
}

static COMMAND_LINE_BYTES: Once<[u8; COMMAND_LINE]> = Once::new();

fn long(bytes: &[u8], at: usize) -> u32 {
    u32::from_le_bytes([bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]])
}

fn quad(bytes: &[u8], at: usize) -> u64 {
    u64::from(long(bytes, at + 4)) << 32 | u64::from(long(bytes, at))
}

impl BootInfo {
    /// RAM, by ascending address, as physical byte addresses on page boundaries. The kernel image and the initial
    /// root lie inside it: whoever gives memory out leaves them (and the first megabyte) out.
    pub fn usable(&self) -> impl Iterator<Item = Range<u64>> + '_ {
        self.usable.iter().cloned()
    }

    /// Reads the start info; `None` when there is none at `at`.
    pub(super) fn read(memory: &dyn Memory, at: u64, image: Range<u64>, entry_ticks: u64) -> Option<BootInfo> {
        let mut head = [0; HEAD];
        if !memory.read(at, &mut head) || long(&head, 0) != MAGIC {
            return None;
        }
        let version = long(&head, 4);
        let usable = if version >= 1 { memory_map(memory, quad(&head, 40), long(&head, 48)) } else { Parts::new() };
        let low_page = low_page(&usable);
        Some(BootInfo {
            usable,
            command_line: command_line(memory, quad(&head, 24)),
            initial_root: initial_root(memory, long(&head, 12), quad(&head, 16)),
            root_pointer: Some(quad(&head, 32)).filter(|pointer| *pointer != 0).map(PhysAddr::new),
            image: (PhysAddr::new(image.start), PhysAddr::new(image.end)),
            entry_ticks,
            low_page,
        })
    }
}

fn memory_map(memory: &dyn Memory, at: u64, lines: u32) -> Parts {
    let mut map = MemoryMap::default();
    for index in 0..u64::from(lines.min(MAXIMUM_LINES)) {
        let mut line = [0; MAP_LINE as usize];
        let Some(place) = at.checked_add(index * MAP_LINE) else { break };
        if !memory.read(place, &mut line) {
            break;
        }
        map.add(Line { start: quad(&line, 0), bytes: quad(&line, 8), usable: long(&line, 16) == RAM });
    }
    map.usable()
}

fn initial_root(memory: &dyn Memory, modules: u32, list: u64) -> Option<(PhysAddr, u64)> {
    let mut module = [0; MODULE];
    if modules == 0 || !memory.read(list, &mut module) {
        return None;
    }
    let (start, bytes) = (quad(&module, 0), quad(&module, 8));
    start.checked_add(bytes).filter(|_| bytes != 0).map(|_| (PhysAddr::new(start), bytes))
}

/// The text up to its first zero byte, as far as it is UTF-8, as long as there is room.
fn command_line(memory: &dyn Memory, at: u64) -> &'static str {
    let mut bytes = [0; COMMAND_LINE];
    let mut length = 0;
    while at != 0 && length < COMMAND_LINE {
        let mut byte = [0];
        let there = at.checked_add(length as u64).is_some_and(|place| memory.read(place, &mut byte));
        if !there || byte[0] == 0 {
            break;
        }
        bytes[length] = byte[0];
        length += 1;
    }
    let _ = COMMAND_LINE_BYTES.set(bytes);
    let kept = COMMAND_LINE_BYTES.get().map_or(&[][..], |bytes| &bytes[..length]);
    match core::str::from_utf8(kept) {
        Ok(text) => text,
        Err(error) => core::str::from_utf8(&kept[..error.valid_up_to()]).unwrap_or_default(),
    }
}

fn low_page(usable: &Parts) -> Option<u8> {
    let fits = |page: u64| usable.iter().any(|part| part.start <= page && page + 4096 <= part.end);
    let others = LOW_MEMORY.step_by(4096);
    core::iter::once(USUAL_PAGE).chain(others).find(|page| fits(*page)).map(|page| (page >> 12) as u8)
}

#[cfg(test)]
#[path = "info_tests.rs"]
mod tests;
