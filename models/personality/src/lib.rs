//! What programs wait for: the personality's and the console's own files, over threads of a model checker.
//!
//! The files of `osl`, `devices` and `libkernel` are taken in by their paths and not copied; what lies below them is played, as in the
//! models of waiting.
#![cfg(any(loom, shuttle))]
#![allow(dead_code, reason = "no model uses all of a file that it takes in")]

extern crate alloc;
extern crate self as libkernel;
extern crate self as machine;

#[path = "../../../libkernel/src/census.rs"]
pub mod census;
#[path = "../../../libkernel/src/device.rs"]
pub mod device;
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
pub mod console;
pub mod interrupt;
pub mod process;
pub mod serial;

pub use error::KernelError;
