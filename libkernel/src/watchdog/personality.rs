//! What the system above knows of a thread, for reports.
//!
//! Invariant: set once, at boot; threads of the kernel's own are nothing to it.

use crate::thread::Thread;
use core::fmt;
use sync::{Once, TaskContext};

/// Writes which program and which call a thread is in.
pub type Describe = fn(&TaskContext, &Thread, &mut dyn fmt::Write) -> fmt::Result;

static DESCRIBE: Once<Describe> = Once::new();

/// Called once, at boot.
pub fn set(describe: Describe) {
    assert!(DESCRIBE.set(describe).is_ok(), "two systems above one kernel");
}

pub(super) fn describe(cx: &TaskContext, thread: &Thread, into: &mut dyn fmt::Write) -> fmt::Result {
    DESCRIBE.get().map_or(Ok(()), |describe| describe(cx, thread, into))
}
