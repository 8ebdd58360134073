//! The door for programs: every Linux call, decoded, looked up and answered.
//!
//! `enter` is the one way in. `table` lists every call on one page; the subjects beside it hold the handlers: plain functions from a
//! `Caller` and decoded arguments to a number or an `Errno`. They copy what they need out of the program's memory once and check that.

pub mod answer;
pub mod arguments;
pub mod attributes;
pub mod call;
pub mod call_mask;
pub mod caller;
pub mod calls;
pub mod capability;
pub mod clocks;
pub mod control;
pub mod descriptor;
pub mod directory;
pub mod dispatch;
pub mod epoll;
pub mod file;
pub mod futex;
pub mod identity;
pub mod interval;
pub mod kernel_log;
pub mod limits;
pub mod listing;
pub mod membarrier;
pub mod memory;
pub mod memory_advice;
pub mod memory_file;
pub mod mounts;
pub mod names;
pub mod native;
pub mod page;
pub mod place;
pub mod poll;
pub mod power;
pub mod priority;
pub mod process;
pub mod process_descriptor;
pub mod program_timer;
pub mod restart;
pub mod sched;
pub mod sched_attributes;
pub mod sched_rules;
pub mod scheduling;
pub mod select;
mod shortage;
pub mod signal;
pub mod size;
pub mod socket;
pub mod system;
pub mod table;
pub mod terminal;
pub mod time;
pub mod transfer;
pub mod users;
pub mod waiting_files;

pub use arguments::Arguments;
pub use {caller::Caller, dispatch::enter};
