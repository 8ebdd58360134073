//! The task that a context stands for.
//!
//! Invariant: it comes from the thread's own payload, never from anything that another CPU could have changed.

use alloc::sync::Arc;

use libkernel::thread;
use sync::TaskContext;

use super::task::Task;

/// The Linux side of the running thread; `None` for a thread of the kernel's own.
pub fn current(cx: &TaskContext) -> Option<Arc<Task>> {
    let payload = thread::current::of(cx).payload()?.clone();
    payload.downcast::<Task>().ok()
}
