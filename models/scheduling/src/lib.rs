//! Who runs where: the kernel's own scheduler, wait queues and threads, over threads of a model checker.
//!
//! The files of `libkernel` are taken in by their paths and not copied; what lies below them (the machine, clocks, memory) is played
//! here. A kernel thread is one of the checker's threads, which carries its CPU as a baton; a CPU's idle thread begins with it.
#![cfg(any(loom, shuttle))]
#![allow(dead_code, reason = "no model uses all of a file that it takes in")]

extern crate alloc;
/// The machine is played in this crate too.
extern crate self as machine;

#[path = "../../../libkernel/src/census.rs"]
pub mod census;
#[path = "../../../libkernel/src/error.rs"]
pub mod error;
#[path = "../../../libkernel/src/sched/mod.rs"]
pub mod sched;
#[path = "../../../libkernel/src/wait/mod.rs"]
pub mod wait;

#[path = "../../waiting/src/explore.rs"]
pub mod explore;

pub mod alarm;
pub mod apic;
pub mod boot;
pub mod clock;
pub mod context;
pub mod cpu;
pub mod interrupt;
pub mod memory;
pub mod thread;
