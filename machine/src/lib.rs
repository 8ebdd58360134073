//! The x86-64 PC: the only crate with assembly, ports, model-specific registers and page-table bits.
//!
//! Invariant: nothing here knows a thread, a process or Linux. What the hardware does calls up through `trap::upcalls`
//! alone; everything else is called from above. All files compile on the host too, where only the pure parts run.
#![no_std]

#[cfg(not(target_os = "none"))]
extern crate std;

extern crate alloc;

pub mod acpi;
pub mod addr;
pub mod apic;
pub mod boot;
pub mod clock;
pub mod context;
pub mod cpu;
pub mod msr;
pub mod paging;
pub mod pci;
pub mod physical;
pub mod port;
pub mod power;
pub mod probe;
pub mod random;
pub mod serial;
pub mod trap;
pub mod user;

pub use trap::backtrace;
