//! The window on all RAM: from a physical address to its bytes (seam 2: on the host, RAM is an array).
//!
//! Invariant: RAM is touched here with instructions that the compiler cannot see through, because programs and other
//! CPUs may change the same bytes at any moment.

#[cfg(target_os = "none")]
#[path = "physical/bare.rs"]
mod window;
#[cfg(not(target_os = "none"))]
#[path = "physical/host.rs"]
mod window;

use crate::addr::{Frame, PAGE_SIZE, PhysAddr};
use core::arch::asm;

/// Where the kernel sees physical address 0.
pub const DIRECT_MAP: u64 = 0xffff_8000_0000_0000;
/// How much RAM the window can show.
pub const DIRECT_MAP_BYTES: u64 = 64 << 40;

#[cfg(not(target_os = "none"))]
pub use window::RAM_BYTES;

/// Types of which every pattern of bits is a value.
///
/// # Safety
/// Implement it only for such types, without padding.
pub unsafe trait Plain: Copy {}

macro_rules! plain {
    ($($type:ty)*) => { $(
        // SAFETY: a number.
        unsafe impl Plain for $type {}
    )* };
}

plain!(u8 u16 u32 u64 i8 i16 i32 i64);

// SAFETY: as plain as its elements, which stand without padding.
unsafe impl<T: Plain, const N: usize> Plain for [T; N] {}

/// Where the byte at `at` can be read and written. Using the pointer is for those who own the memory.
pub fn pointer(at: PhysAddr) -> *mut u8 {
    window::pointer(at)
}

/// Where `bytes` bytes from `at` on are, all of them inside the window.
fn span(at: PhysAddr, bytes: usize) -> *mut u8 {
    if bytes != 0 {
        window::pointer(at + (bytes as u64 - 1));
    }
    window::pointer(at)
}

pub fn read<T: Plain>(at: PhysAddr) -> T {
    // SAFETY: inside the window; any bytes are a `T`.
    unsafe { span(at, size_of::<T>()).cast::<T>().read_unaligned() }
}

/// For those who own the memory.
pub fn write<T: Plain>(at: PhysAddr, value: T) {
    // SAFETY: inside the window; whose bytes they are is for the caller to know.
    unsafe { span(at, size_of::<T>()).cast::<T>().write_unaligned(value) };
}

/// A word that programs and other CPUs change meanwhile, and what it hands over.
fn shared_word(at: PhysAddr) -> &'static sync::Published<u32> {
    assert!(at.as_u64().is_multiple_of(4), "a shared word at {:#x}", at.as_u64());
    // SAFETY: inside the window, aligned, any bytes are a number; RAM is never unmapped, and everybody who writes such a
    // word does it in one piece.
    unsafe { &*span(at, 4).cast::<sync::Published<u32>>() }
}

/// Reads a word in one piece; what was written before it is seen.
pub fn load_u32(at: PhysAddr) -> u32 {
    shared_word(at).load()
}

/// Writes a word in one piece, after all that was written before. For those who own the memory.
pub fn store_u32(at: PhysAddr, value: u32) {
    shared_word(at).store(value);
}

/// Copies bytes out of RAM.
pub fn copy_from(at: PhysAddr, into: &mut [u8]) {
    // SAFETY: inside the window; `into` is writable for its length.
    unsafe { copy(span(at, into.len()), into.as_mut_ptr(), into.len()) };
}

/// Copies bytes into RAM. For those who own the frame: a page's owner, a page table's.
pub fn copy_to(at: PhysAddr, bytes: &[u8]) {
    // SAFETY: inside the window; `bytes` is readable for its length.
    unsafe { copy(bytes.as_ptr(), span(at, bytes.len()), bytes.len()) };
}

pub fn zero_frame(frame: Frame) {
    let at = span(frame.start(), PAGE_SIZE);
    // SAFETY: a whole frame inside the window; the direction flag is clear in all Rust code.
    unsafe {
        asm!("rep stosq", inout("rcx") PAGE_SIZE / 8 => _, inout("rdi") at => _, in("rax") 0_u64,
            options(nostack, preserves_flags));
    }
}

pub fn copy_frame(from: Frame, to: Frame) {
    // SAFETY: two whole frames inside the window.
    unsafe { copy(span(from.start(), PAGE_SIZE), span(to.start(), PAGE_SIZE), PAGE_SIZE) };
}

/// # Safety
/// `from` is readable and `to` writable for `bytes` bytes; they do not overlap.
unsafe fn copy(from: *const u8, to: *mut u8, bytes: usize) {
    // SAFETY: the caller's promise; the direction flag is clear in all Rust code.
    unsafe {
        asm!("rep movsq", "mov rcx, {rest}", "rep movsb", rest = in(reg) bytes % 8,
            inout("rcx") bytes / 8 => _, inout("rsi") from => _, inout("rdi") to => _,
            options(nostack, preserves_flags));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_come_back_as_they_were_written_at_any_place_and_length() {
        let base = PhysAddr::new(RAM_BYTES - 3 * PAGE_SIZE as u64);
        for length in 0..40 {
            for offset in 0..9 {
                let bytes: [u8; 40] = core::array::from_fn(|index| (index * 7 + offset) as u8 | 1);
                zero_frame(Frame::containing(base));
                copy_to(base + offset as u64, &bytes[..length]);
                let mut back = [0; 48];
                copy_from(base, &mut back);
                assert_eq!(&back[offset..offset + length], &bytes[..length]);
                assert!(back[offset + length..].iter().all(|byte| *byte == 0));
            }
        }
    }

    #[test]
    #[should_panic(expected = "is not RAM")]
    fn a_span_beyond_the_end_of_memory_is_refused() {
        copy_from(PhysAddr::new(RAM_BYTES - 4), &mut [0; 8]);
    }

    #[test]
    fn a_copied_frame_equals_its_original() {
        let (from, to) = (Frame::new(RAM_BYTES / 4096 - 5), Frame::new(RAM_BYTES / 4096 - 6));
        zero_frame(to);
        copy_to(from.start() + 4088, &0x0123_4567_89ab_cdef_u64.to_le_bytes());
        copy_frame(from, to);
        assert_eq!(read::<u64>(to.start() + 4088), 0x0123_4567_89ab_cdef);
    }
}
