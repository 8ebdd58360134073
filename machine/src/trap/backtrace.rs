//! Who called whom, by frame pointers.
//!
//! Invariant: a walk ends, and reads only what is mapped: each frame lies above the one before, and each word is read by
//! `probe`. It is for reports: any stack, however broken, gives some addresses and no fault.

use super::TrapFrame;
use crate::probe;
use core::arch::asm;

const LONGEST: usize = 64;
/// No kernel stack is larger; a frame pointer that jumps further is no frame pointer.
const LARGEST_STEP: u64 = 64 << 10;

/// Return addresses, innermost first.
pub struct Backtrace {
    /// Known before the walk: where the interrupted code was.
    first: Option<u64>,
    frame_pointer: u64,
    left: usize,
}

/// The callers of the function that asks.
#[inline(always)]
pub fn here() -> Backtrace {
    let frame_pointer: u64;
    // SAFETY: reads a register.
    unsafe { asm!("mov {}, rbp", out(reg) frame_pointer, options(nomem, nostack, preserves_flags)) };
    Backtrace { first: None, frame_pointer, left: LONGEST }
}

/// Where the code that `frame` interrupted was, and its callers. Only of the kernel's own code: what a program was
/// doing is not walked.
pub fn from(frame: &TrapFrame) -> Backtrace {
    let left = if frame.from_user() { 1 } else { LONGEST };
    Backtrace { first: Some(frame.rip), frame_pointer: frame.rbp, left }
}

impl Iterator for Backtrace {
    type Item = u64;

    fn next(&mut self) -> Option<u64> {
        self.left = self.left.checked_sub(1)?;
        if let Some(first) = self.first.take() {
            return Some(first);
        }
        let address = probe::word(self.frame_pointer.checked_add(8)?).filter(|address| *address != 0)?;
        let next = probe::word(self.frame_pointer)?;
        let above = next > self.frame_pointer && next - self.frame_pointer <= LARGEST_STEP;
        self.frame_pointer = if above { next } else { 0 };
        Some(address)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wild_frame_pointer_ends_the_walk() {
        for wild in [0, 7, 0x1000, 0xffff_8000_0000_0001, u64::MAX, u64::MAX - 7] {
            let frame = TrapFrame { rip: 0xffff_ffff_8010_0000, rbp: wild, cs: 0x10, ..TrapFrame::default() };
            assert_eq!(from(&frame).count(), 1);
        }
    }
}
