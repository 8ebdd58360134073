//! What programs wait for in the kernel's own calls: its channels, ports, notifications and lines, over threads of a model checker.
//!
//! The files of `libkernel` are taken in by their paths and not copied; what lies below them is played, as in the models of
//! waiting.
#![cfg(any(loom, shuttle))]
#![allow(dead_code, reason = "no model uses all of a file that it takes in")]

extern crate alloc;
extern crate self as machine;

#[path = "../../../libkernel/src/error.rs"]
pub mod error;
#[path = "../../../libkernel/src/wait/mod.rs"]
pub mod wait;

#[path = "../../waiting/src/actor.rs"]
pub mod actor;
#[path = "../../waiting/src/alarm.rs"]
pub mod alarm;
#[path = "../../waiting/src/clock.rs"]
pub mod clock;
#[path = "../../waiting/src/explore.rs"]
pub mod explore;
#[path = "../../waiting/src/sched.rs"]
pub mod sched;
#[path = "../../waiting/src/thread.rs"]
pub mod thread;

pub mod apic;
pub mod census;
pub mod interrupt;
pub mod ipc;
pub mod memory;

pub use error::KernelError;
