//! What keeps CPUs apart: locks, their one order, and what a CPU owns.
//!
//! Everything here is built from the same source for the machine (`target_os = "none"`), for host
//! tests (an OS thread plays a CPU) and for the model checkers (`--cfg loom`, `--cfg shuttle`).
//! Raw memory orderings stand in this crate only.
#![no_std]

#[cfg(not(target_os = "none"))]
extern crate std;

#[macro_use]
mod atomic;
mod bitmap;
pub mod chaos;
pub mod compile_fail_examples;
mod context;
pub mod cpu;
mod gate;
#[cfg(feature = "lockdep")]
pub mod lockdep;
mod mailbox;
mod once;
#[macro_use]
pub mod order;
mod park;
mod per_cpu;
#[doc(hidden)]
pub mod per_execution;
mod sequence;
mod spin;
pub mod twin;

pub use atomic::{Counter, CpuMask, Flag, Published, ReferenceCount, fence_full};
pub use bitmap::SlotMap;
pub use context::{Allows, IrqContext, IrqOff, PreemptOff, TaskContext, might_sleep};
pub use cpu::{CpuId, CpuSet, MAXIMUM_CPUS};
pub use gate::{Gate, Inside, Left};
pub use mailbox::Mailbox;
pub use once::Once;
pub use order::{LockClass, PairClass, kind};
pub use park::{Park, ParkState};
pub use per_cpu::{CpuLocal, PerCpu};
pub use sequence::{SequenceLock, Snapshot, WORDS as SNAPSHOT_WORDS};
pub use spin::{SpinGuard, SpinKind, SpinLock, lock_pair};
