//! Threads, time and memory; knows nothing of any personality above it.
//!
//! Floors, lowest first: error, log, clock, alarm, random, processor, cross_call < memory, interrupt < thread <
//! sched < wait < address_space, device, ipc, watchdog < entry. A folder names only lower ones.
#![no_std]
#![deny(unsafe_code)]

#[cfg(not(target_os = "none"))]
extern crate std;

extern crate alloc;

pub mod address_space;
pub mod alarm;
pub mod census;
pub mod clock;
pub mod cross_call;
pub mod device;
pub mod entry;
pub mod error;
pub mod interrupt;
pub mod ipc;
pub mod log;
pub mod memory;
pub mod processor;
pub mod random;
pub mod sched;
pub mod thread;
pub mod wait;
pub mod watchdog;

pub use error::KernelError;
