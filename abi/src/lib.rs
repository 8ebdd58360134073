//! Linux's numbers and structs, exactly as programs see them; no behaviour.
//!
//! Invariant: every struct here is `repr(C)`, has no padding that is not a named field, and its size is checked against Linux's own.
#![no_std]
#![forbid(unsafe_code)]

pub mod errno;
pub mod file;
pub mod memory;
pub mod native;
pub mod poll;
pub mod process;
pub mod sequence;
pub mod signal;
pub mod socket;
pub mod system;
pub mod terminal;
pub mod time;

pub use errno::Errno;

/// Linux's header constants under their header names: `__NR_*`, `O_*`, `S_*`, `AT_*`, `CLONE_*`, `FUTEX_*` ….
pub mod constant {
    pub use linux_raw_sys::general::*;

    /// Called `FASYNC` in the kernel's own header.
    pub const O_ASYNC: u32 = 0o20000;
    pub const CLOSE_RANGE_UNSHARE: u32 = 1 << 1;
    pub const CLOSE_RANGE_CLOEXEC: u32 = 1 << 2;
}
/// System call numbers: `number::__NR_read` and so on.
pub use linux_raw_sys::general as number;
/// `PR_*` of `prctl(2)`.
pub use linux_raw_sys::prctl;
