//! /proc/sys/vm/drop_caches: gives back what is only kept in case somebody asks for it again.
//!
//! Invariant: only what nobody uses goes; so it may be written at any time, and changes no answer.

use abi::Errno;
use libkernel::thread::stack;
use sync::TaskContext;

use crate::fs::page_cache;

const FILE_PAGES: u32 = 1;
const KERNEL_OBJECTS: u32 = 2;
/// On Linux this one silences its message.
const QUIET: u32 = 4;

/// 1: pages of files on disks. 2: what the kernel keeps for itself. 3: both.
pub fn write(cx: &mut TaskContext, text: &[u8]) -> Result<(), Errno> {
    let wanted = wanted(text)?;
    if wanted & FILE_PAGES != 0 {
        page_cache::shrink_all(cx);
    }
    if wanted & KERNEL_OBJECTS != 0 {
        stack::give_back_all_unused(cx);
    }
    Ok(())
}

fn wanted(text: &[u8]) -> Result<u32, Errno> {
    let text = core::str::from_utf8(text).map_err(|_| Errno::EINVAL)?;
    text.trim().parse().ok().filter(|wanted| (1..=QUIET).contains(wanted)).ok_or(Errno::EINVAL)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_from_one_to_four_are_taken() {
        assert_eq!([&b"1\n"[..], b"3", b" 4\n"].map(wanted), [Ok(1), Ok(3), Ok(4)]);
        for wrong in [&b"0"[..], b"5", b"", b"three", b"-1", b"\xff"] {
            assert_eq!(wanted(wrong), Err(Errno::EINVAL));
        }
    }
}
