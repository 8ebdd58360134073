//! What the firmware's tables say: CPUs, IO-APICs, rewired lines, and how to switch off.
//!
//! Invariant: pure parsing over bytes that may be malicious: every read is bounded, every length is checked, and
//! nothing is believed that a checksum denies.

mod fixed;
mod madt;
mod memory;
mod tables;

pub use fixed::SoftOff;
pub use madt::{IoApicEntry, MAXIMUM_IO_APICS, MAXIMUM_LISTED_CPUS, MAXIMUM_OVERRIDES, Override};
pub use memory::Memory;
pub(crate) use tables::EarlyWindow;
pub use tables::{AcpiError, Tables, parse, read};
