//! How threads wait: the kernel's own files, over threads of a model checker.
//!
//! The files of `libkernel` and above are taken in by their paths and not copied; what lies below them (threads, the scheduler,
//! clock and alarm) is played here. One thread plays one CPU with one kernel thread, which is off it while it sleeps.
#![cfg(any(loom, shuttle))]
#![allow(dead_code, reason = "no model uses all of a file that it takes in")]

extern crate alloc;
extern crate self as libkernel;

#[path = "../../../libkernel/src/census.rs"]
pub mod census;
#[path = "../../../libkernel/src/error.rs"]
pub mod error;
#[path = "../../../libkernel/src/wait/mod.rs"]
pub mod wait;

pub mod actor;
pub mod alarm;
pub mod clock;
pub mod explore;
pub mod sched;
pub mod thread;

pub use error::KernelError;
