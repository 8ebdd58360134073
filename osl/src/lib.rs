//! Linux, as unmodified programs see it; forbids unsafe.
//!
//! Invariant: whatever a program passes in ends here as a checked value, an `Errno` or a signal; nothing below knows that Linux exists.
//!
//! Floors, lowest first: `error`, `credentials`, `futex`, `board`, `release`, `kernel_log`, `timer_setting`, `wall_clock`, `system_v` < `fs`, `elf` < `file` < `tty`, `process` < `signal`, `native`, `socket` < `pseudo_fs`
//! < `syscall`, `fault`, `init`, `watch`. A folder names only lower ones.

#![no_std]
#![forbid(unsafe_code)]

extern crate alloc;
#[cfg(not(target_os = "none"))]
extern crate std;

pub mod board;
pub mod credentials;
pub mod elf;
pub mod error;
mod fatal;
pub mod fault;
pub mod file;
pub mod fs;
pub mod futex;
#[cfg(test)]
mod host_kernel;
pub mod init;
pub mod kernel_log;
pub mod native;
pub mod process;
pub mod pseudo_fs;
pub mod release;
pub mod signal;
pub mod socket;
pub mod start_up;
pub mod syscall;
pub mod system_v;
pub mod timer_setting;
pub mod tty;
pub mod wall_clock;
pub mod watch;
