//! Drivers: they find what is plugged in and hand it out as traits; they cannot touch scheduler internals.
//!
//! Invariant: no driver wakes or calls out while it holds its own lock.
#![no_std]
#![deny(unsafe_code)]

#[cfg(not(target_os = "none"))]
extern crate std;

extern crate alloc;

pub mod console;
pub mod virtio;
