//! Signals as a process keeps them: sets, actions, what waits for whom, and how one is posted.
//!
//! All of a process's signal state, with the list of its threads, lies under one lock that interrupts may take (`state`). Posting
//! decides under that lock which thread shall look, marks it, and is done; the thread looks on its way back to its program.

pub mod actions;
pub mod child;
pub mod pending;
pub mod post;
pub mod program_timer;
pub mod set;
pub mod state;
#[cfg(test)]
mod state_tests;
pub mod watch;

pub use actions::{Disposition, SignalActions};
pub use post::{alarm, has_pending, is_blocked_or_ignored, send_to_group, send_to_process, send_to_task, wake_for_end};
pub use set::SignalSet;
