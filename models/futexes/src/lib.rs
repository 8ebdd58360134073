//! Words that programs wait for: all of the personality's futexes, over threads of a model checker.
//!
//! The files of `osl` and `libkernel` are taken in by their paths and not copied; what lies below them is played, as in the models of
//! waiting. A program's memory is a few words, always at hand; a space has a table of few buckets.
#![cfg(any(loom, shuttle))]
#![allow(dead_code, reason = "no model uses all of a file that it takes in")]

extern crate alloc;
extern crate self as libkernel;

#[path = "../../../osl/src/futex/mod.rs"]
pub mod futex;
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

pub mod address_space;
pub mod census;
pub mod error;
pub mod memory;
pub mod people;
pub mod wall_clock;

pub use error::KernelError;
