//! /proc/hung: which threads have waited for too long now, for what, where, and for whom.

use alloc::vec::Vec;

use abi::Errno;
use libkernel::watchdog;
use sync::TaskContext;

pub fn read(cx: &mut TaskContext) -> Result<Vec<u8>, Errno> {
    let mut text = watchdog::lasting(cx).join("\n");
    if !text.is_empty() {
        text.push('\n');
    }
    Ok(text.into_bytes())
}
