//! /proc/sysrq-trigger: a letter that is written makes the kernel tell what it does.
//!
//! Invariant: it only tells; the letters that would stop or restart the machine have calls of their own, with their own rights.

use alloc::vec::Vec;

use abi::Errno;
use libkernel::log::info;
use libkernel::watchdog;
use libkernel::watchdog::report;
use sync::TaskContext;

/// Nothing to read.
pub fn read(_: &mut TaskContext) -> Result<Vec<u8>, Errno> {
    Err(Errno::EIO)
}

/// As on Linux, the first letter counts.
pub fn write(cx: &mut TaskContext, text: &[u8]) -> Result<(), Errno> {
    match text.first() {
        Some(b'l') => watchdog::show_cpus(),
        Some(b't') => report::everything(cx),
        Some(b'w') => report::blocked(cx),
        Some(_) => info!("sysrq: l (what all CPUs do), t (all threads), w (blocked threads)"),
        None => {}
    }
    Ok(())
}
