//! Making this CPU forget what it remembers of the tables, and giving it other ones.
//!
//! Invariant: this is about the CPU that runs it; telling the others is for whoever owns the tables.

use crate::addr::PhysAddr;
#[cfg(target_os = "none")]
use core::arch::asm;

/// Forgets one page, and all that is remembered of tables (SDM vol. 3, 5.10.4.1).
#[inline]
pub fn page(at: crate::addr::VirtAddr) {
    #[cfg(target_os = "none")]
    // SAFETY: forgetting is always allowed; the compiler keeps writes to the tables before it.
    unsafe {
        asm!("invlpg [{}]", in(reg) at.as_u64(), options(nostack, preserves_flags));
    }
    #[cfg(not(target_os = "none"))]
    let _ = at;
}

/// Forgets everything under the tag in use, except global pages, which the kernel half is made of.
#[inline]
pub fn all() {
    #[cfg(target_os = "none")]
    {
        let root: u64;
        // SAFETY: the root and tag that are in use already.
        unsafe { asm!("mov {0}, cr3", "mov cr3, {0}", out(reg) root, options(nostack, preserves_flags)) };
        let _ = root;
    }
}

/// Does this machine keep what it remembers of several roots apart?
#[inline]
pub fn has_tags() -> bool {
    crate::cpu::features::get().process_context_identifiers
}

/// Uses these tables from now on, with a tag from 1 to 4095; `keeps` what is remembered under it (SDM vol. 3, 5.10.4.1). Only
/// where there are tags.
#[inline]
pub fn load_tagged_root(root: PhysAddr, tag: u16, keeps: bool) {
    const KEEP: u64 = 1 << 63;
    let value = root.as_u64() | u64::from(tag & 0xfff) | if keeps { KEEP } else { 0 };
    #[cfg(target_os = "none")]
    // SAFETY: as in `load_root`; who owns the tag has seen to it that what is kept is right.
    unsafe {
        asm!("mov cr3, {}", in(reg) value, options(nostack, preserves_flags));
    }
    #[cfg(not(target_os = "none"))]
    let _ = value;
}

/// Uses these tables from now on. Their kernel half is every root's kernel half, so the kernel goes on as it was.
#[inline]
pub fn load_root(root: PhysAddr) {
    #[cfg(target_os = "none")]
    // SAFETY: roots are made by `kernel_space::build` and `new_root` only, which share the kernel half.
    unsafe {
        asm!("mov cr3, {}", in(reg) root.as_u64(), options(nostack, preserves_flags));
    }
    #[cfg(not(target_os = "none"))]
    let _ = root;
}

#[inline]
pub fn current_root() -> PhysAddr {
    #[cfg(target_os = "none")]
    {
        let root: u64;
        // SAFETY: reads a register.
        unsafe { asm!("mov {}, cr3", out(reg) root, options(nomem, nostack, preserves_flags)) };
        PhysAddr::new(root).page_start()
    }
    #[cfg(not(target_os = "none"))]
    PhysAddr::new(0)
}
