//! What an interrupted call goes on with when no handler came between.
//!
//! Invariant: a restart is left by the call that was interrupted and taken by the next `restart_syscall` of the same task.

use crate::futex::{Until, Wish};

/// The rest of a call that a signal without a handler (a stop, for instance) cut in two.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Restart {
    /// A sleep: until when on which clock, and where the time left is to be written (0: nowhere).
    Sleep { clock: i32, deadline: u64, remaining: u64 },
    /// A wait on a futex word with a timeout.
    Futex(Wish, Until),
    /// A poll: the array, its length, until when.
    Poll { descriptors: u64, count: u64, deadline: u64 },
}
