//! In and out: the sixteen-bit address space of old devices.
//!
//! Invariant: which port belongs to whom is known by the file that names it; no port is named in two files.

use core::arch::asm;

/// # Safety
/// Reading `port` has no effect that breaks memory safety, and the caller's file is the one that owns it.
#[inline]
pub unsafe fn read_byte(port: u16) -> u8 {
    let value;
    // SAFETY: the caller's promise.
    unsafe { asm!("in al, dx", in("dx") port, out("al") value, options(nostack, preserves_flags)) };
    value
}

/// # Safety
/// As for [`read_byte`], of writing.
#[inline]
pub unsafe fn write_byte(port: u16, value: u8) {
    // SAFETY: the caller's promise.
    unsafe { asm!("out dx, al", in("dx") port, in("al") value, options(nostack, preserves_flags)) };
}

/// # Safety
/// As for [`read_byte`], of reading two bytes.
#[inline]
pub unsafe fn read_word(port: u16) -> u16 {
    let value;
    // SAFETY: the caller's promise.
    unsafe { asm!("in ax, dx", in("dx") port, out("ax") value, options(nostack, preserves_flags)) };
    value
}

/// # Safety
/// As for [`read_byte`], of writing two bytes.
#[inline]
pub unsafe fn write_word(port: u16, value: u16) {
    // SAFETY: the caller's promise.
    unsafe { asm!("out dx, ax", in("dx") port, in("ax") value, options(nostack, preserves_flags)) };
}

/// # Safety
/// As for [`read_byte`], of writing four bytes.
#[inline]
pub unsafe fn write_long(port: u16, value: u32) {
    // SAFETY: the caller's promise.
    unsafe { asm!("out dx, eax", in("dx") port, in("eax") value, options(nostack, preserves_flags)) };
}

/// # Safety
/// As for [`read_byte`], of reading four bytes.
#[inline]
pub unsafe fn read_long(port: u16) -> u32 {
    let value;
    // SAFETY: the caller's promise.
    unsafe { asm!("in eax, dx", in("dx") port, out("eax") value, options(nostack, preserves_flags)) };
    value
}
