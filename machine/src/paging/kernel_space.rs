//! The kernel half: the image with each section's own rights, the window on RAM, device registers.
//!
//! Invariant: no page is both writable and executable, and what is not writable in the image is not writable through
//! the window either. All 256 root entries are filled before the first copy is made and never change afterwards.

use super::entry::{Entry, Flags};
use super::table::{ENTRIES, FrameSource, KERNEL_HALF, Slot, bytes_of, make_slot};
use crate::addr::{PAGE_SIZE, PhysAddr, VirtAddr};
use crate::physical::DIRECT_MAP;
use core::arch::x86_64::__cpuid;
use core::ops::Range;
use sync::Published;

/// Physical address 0 as the kernel image sees it.
pub const IMAGE: u64 = 0xffff_ffff_8000_0000;
/// Device registers, never cached.
pub const DEVICES: u64 = 0xffff_d000_0000_0000;
/// Tables for so much are made at boot, so that mapping a device needs no memory later.
const DEVICE_BYTES: u64 = 32 << 20;
/// Firmware tables and devices' registers stand below this, RAM or not.
const LOW_END: u64 = 4 << 30;

const PAGE: u64 = PAGE_SIZE as u64;
const READ_ONLY: Flags = Flags::PRESENT.union(Flags::GLOBAL).union(Flags::NO_EXECUTE);
const READ_WRITE: Flags = READ_ONLY.union(Flags::WRITABLE);
const EXECUTE: Flags = Flags::PRESENT.union(Flags::GLOBAL);
const REGISTERS: Flags = READ_WRITE.union(Flags::CACHE_DISABLE).union(Flags::WRITE_THROUGH);

static ROOT: Published<u64> = Published::<u64>::new(0);
static NEXT_DEVICE: Published<u64> = Published::<u64>::new(DEVICES);

/// Physical addresses of the image's parts, by rights.
#[derive(Clone, Debug, Default)]
pub struct Image {
    pub text: Range<u64>,
    pub constants: Range<u64>,
    pub data: Range<u64>,
}

/// The final root, for the kernel itself and to be copied into every address space. RAM ends at `memory_end`. Called
/// once, at boot.
pub fn build(memory_end: u64, source: &mut dyn FrameSource) -> PhysAddr {
    let root = build_from(&image(), memory_end.max(LOW_END), has_gigabyte_pages(), source);
    ROOT.store(root.as_u64());
    root
}

fn build_from(image: &Image, memory_end: u64, gigabyte_pages: bool, source: &mut dyn FrameSource) -> PhysAddr {
    let Some(root) = source.take() else {
        panic!("too little memory: the kernel and the initial root fill it, nothing is left for page tables")
    };
    let mut builder = Builder { root, gigabyte_pages, source };
    builder.map(IMAGE, image.text.clone(), EXECUTE);
    builder.map(IMAGE, image.constants.clone(), READ_ONLY);
    builder.map(IMAGE, image.data.clone(), READ_WRITE);
    let fixed = image.text.start..image.constants.end.max(image.text.end);
    builder.map(DIRECT_MAP, 0..fixed.start, READ_WRITE);
    builder.map(DIRECT_MAP, fixed.clone(), READ_ONLY);
    builder.map(DIRECT_MAP, fixed.end..memory_end.next_multiple_of(bytes_of(2)), READ_WRITE);
    builder.make_tables(DEVICES..DEVICES + DEVICE_BYTES);
    builder.fill_kernel_half();
    root
}

struct Builder<'a> {
    root: PhysAddr,
    gigabyte_pages: bool,
    source: &'a mut dyn FrameSource,
}

impl Builder<'_> {
    /// Maps physical `range` at `base` plus its address, with the largest pages that fit.
    fn map(&mut self, base: u64, range: Range<u64>, flags: Flags) {
        assert!(range.start.is_multiple_of(PAGE), "a part of the kernel's memory does not begin on a page");
        let end = range.end.next_multiple_of(PAGE);
        let mut at = range.start;
        while at < end {
            let level = self.level_for(base, at, end - at);
            let large = if level > 1 { Flags::LARGE } else { Flags::empty() };
            self.slot(base + at, level).store(Entry::new(PhysAddr::new(at), flags | large));
            at += bytes_of(level);
        }
    }

    fn level_for(&self, base: u64, at: u64, left: u64) -> u32 {
        let fits =
            |level: u32| (base + at).is_multiple_of(bytes_of(level)) && at.is_multiple_of(bytes_of(level)) && left >= bytes_of(level);
        match () {
            () if self.gigabyte_pages && fits(3) => 3,
            () if fits(2) => 2,
            () => 1,
        }
    }

    fn make_tables(&mut self, range: Range<u64>) {
        for at in range.step_by(bytes_of(2) as usize) {
            self.slot(at, 1);
        }
    }

    fn fill_kernel_half(&mut self) {
        for index in KERNEL_HALF..ENTRIES {
            let slot = Slot::of(self.root, index);
            if slot.load().is_empty() {
                let Some(table) = self.source.take() else { panic!("no memory for the kernel's tables") };
                slot.store(Entry::new(table, Flags::PRESENT | Flags::WRITABLE));
            }
        }
    }

    fn slot(&mut self, at: u64, level: u32) -> Slot {
        match make_slot(self.root, VirtAddr::new(at), level, self.source) {
            Ok(slot) => slot,
            Err(_) => panic!("no memory for the kernel's tables"),
        }
    }
}

/// Makes the registers at `at` visible, uncached. Devices come from the firmware's tables and stay for ever.
pub fn map_device(at: PhysAddr, bytes: usize) -> VirtAddr {
    let first = at.page_start();
    let pages = (at - first + bytes as u64).div_ceil(PAGE);
    let place = NEXT_DEVICE.fetch_add(pages * PAGE);
    assert!(place + pages * PAGE <= DEVICES + DEVICE_BYTES, "no room for the registers of one more device");
    let root = PhysAddr::new(ROOT.load());
    for page in 0..pages {
        let Some(slot) = super::slot(root, VirtAddr::new(place + page * PAGE)) else {
            panic!("a device was mapped before the kernel's tables were built");
        };
        slot.store(Entry::new(first + page * PAGE, REGISTERS));
    }
    VirtAddr::new(place + (at - first))
}

fn has_gigabyte_pages() -> bool {
    const HIGHEST_EXTENDED: u32 = 0x8000_0000;
    const EXTENDED_FEATURES: u32 = 0x8000_0001;
    __cpuid(HIGHEST_EXTENDED).eax >= EXTENDED_FEATURES && __cpuid(EXTENDED_FEATURES).edx & 1 << 26 != 0
}

#[cfg(target_os = "none")]
fn image() -> Image {
    unsafe extern "C" {
        static __text_start: u8;
        static __text_end: u8;
        static __rodata_start: u8;
        static __rodata_end: u8;
        static __data_start: u8;
        static __bss_end: u8;
    }
    let part = |start: *const u8, end: *const u8| start as u64 - IMAGE..end as u64 - IMAGE;
    Image {
        text: part(&raw const __text_start, &raw const __text_end),
        constants: part(&raw const __rodata_start, &raw const __rodata_end),
        data: part(&raw const __data_start, &raw const __bss_end),
    }
}

/// In tests there is no image; whoever tests sections brings their own.
#[cfg(not(target_os = "none"))]
fn image() -> Image {
    Image::default()
}

#[cfg(test)]
#[path = "kernel_space_tests.rs"]
mod tests;
