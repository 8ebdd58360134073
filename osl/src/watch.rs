//! What reports say of a thread that runs a program: its numbers, its name, its call.
//!
//! Invariant: it looks and does not wait: the thread may be in the midst of anything.

use core::fmt;

use libkernel::thread::Thread;
use sync::TaskContext;

use crate::process::Task;
use crate::syscall::table;

/// For `libkernel::watchdog::personality`.
pub fn describe(cx: &TaskContext, thread: &Thread, into: &mut dyn fmt::Write) -> fmt::Result {
    let Some(task) = thread.payload().and_then(|payload| payload.downcast_ref::<Task>()) else { return Ok(()) };
    write!(into, ", process {} task {} \"{}\"", task.process().id(), task.id(), task.name(cx))?;
    if let Some(call) = table::find(task.last_call.get()) {
        write!(into, ", last call {}", call.name)?;
    }
    let awaited = task.awaited.get();
    match (awaited >> 32, awaited & u64::from(u32::MAX)) {
        (0, _) => Ok(()),
        (1, child) => write!(into, ", for its child {child}"),
        (children, first) => write!(into, ", for {children} children from {first} on"),
    }
}
