//! The scheduler, played: a woken thread runs on at once.

use crate::thread::{Scheduling, Thread, current};
use std::sync::Arc;
use sync::TaskContext;

// One model's threads all run on one OS thread.
std::thread_local! {
    static NOT_DONATED: std::cell::Cell<u32> = const { std::cell::Cell::new(0) };
}

/// How many threads were woken by others that kept their CPUs, since this was asked before.
pub fn woken_without_a_cpu() -> u32 {
    NOT_DONATED.take()
}

/// As the kernel's: whoever finds it parked queues it.
pub fn wake(thread: &Arc<Thread>) {
    NOT_DONATED.set(NOT_DONATED.get() + 1);
    queue(thread);
}

fn queue(thread: &Arc<Thread>) {
    if thread.park.wake() {
        thread.resume();
    }
}

/// To whom the CPU goes next is not played here, but noted.
pub fn wake_donating(_: &TaskContext, thread: &Arc<Thread>) {
    queue(thread);
}

/// What is lent is written down; no queue is there to be rearranged.
pub fn lend_standing<X>(_: &X, thread: &Arc<Thread>, lent: Option<Scheduling>) -> bool {
    let before = thread.standing.effective();
    thread.standing.lend(lent);
    thread.standing.effective() != before
}

pub mod switch {
    use super::*;

    /// As the kernel's switch away from a thread that has announced its sleep.
    pub(crate) fn sleep(cx: &mut TaskContext) {
        let thread = current::of(cx);
        if !thread.park.switched_out(true) {
            thread.pause();
        }
    }
}
