//! `stac` and `clac` where the CPU has them.
//!
//! Invariant: the places are patched once, by the boot CPU, before other CPUs run and before the kernel's text becomes
//! read-only. A CPU without SMAP executes three bytes of nothing there.

use super::features;

#[cfg(target_os = "none")]
unsafe extern "C" {
    static __smap_stac_start: u64;
    static __smap_stac_end: u64;
    static __smap_clac_start: u64;
    static __smap_clac_end: u64;
}

/// Patches all places, if the CPU has SMAP.
///
/// # Safety
/// On the boot CPU under the early tables, once, before user memory is touched.
pub(crate) unsafe fn patch() {
    let has_smap = features::get().supervisor_access_prevention;
    #[cfg(target_os = "none")]
    if has_smap {
        // SAFETY: the linker collected the addresses of the places between these symbols; the text is still writable.
        unsafe {
            replace(&raw const __smap_stac_start, &raw const __smap_stac_end, [0x0f, 0x01, 0xcb]);
            replace(&raw const __smap_clac_start, &raw const __smap_clac_end, [0x0f, 0x01, 0xca]);
        }
    }
    #[cfg(not(target_os = "none"))]
    let _ = has_smap;
}

/// # Safety
/// Between the two are addresses of three writable bytes each.
#[cfg(target_os = "none")]
unsafe fn replace(start: *const u64, end: *const u64, instruction: [u8; 3]) {
    let mut place = start;
    while place < end {
        // SAFETY: the caller's promise.
        unsafe {
            (*place as *mut [u8; 3]).write_volatile(instruction);
            place = place.add(1);
        }
    }
}
