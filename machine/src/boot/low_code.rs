//! The page below 1 MiB where other CPUs begin.
//!
//! Invariant: written before the first of them is started, and never given to anybody else, as one may come late.

use super::image;
use crate::addr::PhysAddr;
use crate::physical;

#[cfg(target_os = "none")]
core::arch::global_asm!(include_str!("start_cpu.s"));

/// The code, and the places in it that depend on where it lies.
struct LowCode {
    code: &'static [u8],
    /// Offsets of longs that the page's address is added to.
    relative: [u64; 2],
    /// Offset of the long that takes the early root.
    root: u64,
}

#[cfg(target_os = "none")]
fn low_code() -> LowCode {
    unsafe extern "C" {
        static machine_low_begin: u8;
        static machine_low_end: u8;
        static machine_low_target: u8;
        static machine_low_gdt: u8;
        static machine_low_root: u8;
    }
    let begin = &raw const machine_low_begin;
    let offset = |place: *const u8| place as u64 - begin as u64;
    LowCode {
        // SAFETY: the code lies between the two symbols and never changes.
        code: unsafe { core::slice::from_raw_parts(begin, offset(&raw const machine_low_end) as usize) },
        relative: [offset(&raw const machine_low_target), offset(&raw const machine_low_gdt)],
        root: offset(&raw const machine_low_root),
    }
}

/// A host has no other CPUs to start: something of the right shape.
#[cfg(not(target_os = "none"))]
fn low_code() -> LowCode {
    LowCode { code: &[0x90; 32], relative: [4, 8], root: 12 }
}

/// Writes the code to page number `page`, fitted to that place.
pub(super) fn place(page: u8) {
    let LowCode { code, relative, root } = low_code();
    let base = PhysAddr::new(u64::from(page) << 12);
    physical::copy_to(base, code);
    for offset in relative {
        let value = physical::read::<u32>(base + offset);
        physical::write(base + offset, value.wrapping_add(base.as_u64() as u32));
    }
    physical::write(base + root, image::early_root() as u32);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_code_is_fitted_to_its_page() {
        place(0x30);
        assert_eq!(physical::read::<u32>(PhysAddr::new(0x3_0004)), 0x9090_9090 + 0x3_0000);
        assert_eq!(physical::read::<u32>(PhysAddr::new(0x3_000c)), 0);
        assert_eq!(physical::read::<u32>(PhysAddr::new(0x3_0010)), 0x9090_9090);
    }
}
