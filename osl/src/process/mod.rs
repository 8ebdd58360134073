//! Processes and their threads: who they are, how they begin, change program and end.
//!
//! A `Task` is the Linux side of one kernel thread, a `Process` is what the tasks of one program share. Who is whose parent, group
//! and session is written in one place, the tree (`table`), under one sleeping lock. What signals wait for whom, and which
//! threads a process has, is written in `signals`, under one lock per process that interrupts may take.
//!
//! This folder posts signals and keeps them; what a thread does about them on its way back to its program stands in `signal`.

pub mod clone;
pub mod cpu_limit;
pub mod current;
pub mod death;
pub mod descriptor;
pub mod ending;
pub mod exec;
pub mod exit;
pub mod first;
pub mod groups;
pub mod image;
pub mod interval;
pub mod limits;
pub mod numbers;
pub mod program;
pub mod program_timers;
pub mod restart;
#[cfg(test)]
mod sample;
pub mod sequences;
pub mod shared;
pub mod shortage;
pub mod signals;
pub mod start;
pub mod status;
pub mod table;
pub mod task;
pub mod terminal;
pub mod times;
pub mod tree;
#[cfg(test)]
mod tree_tests;
pub mod wait;

pub use current::current;
pub use groups::{claim_terminal, is_orphaned, release_terminal};
pub use restart::Restart;
pub use shared::Process;
pub use table::{Relations, all, find, find_task, in_group, in_session, places};
pub use task::Task;
pub use terminal::{ControllingTerminal, Farewell};
pub use times::Spent;
