//! Where the threads of a stopped process wait.
//!
//! Invariant: the parent is told of the stop once, by the thread that stopped last, and of going on once, by the first to run.

use alloc::sync::Arc;

use abi::signal::SIGSTOP;
use sync::TaskContext;

use crate::process::signals::child;
use crate::process::{Task, is_orphaned};

/// A stopping signal takes effect, unless a continue signal came since it was taken, or nobody would continue the process.
pub fn begin(cx: &mut TaskContext, task: &Arc<Task>, signal: u32) {
    let process = task.process();
    if signal != SIGSTOP {
        let group = process.relations(cx).group;
        if is_orphaned(cx, group) {
            return;
        }
    }
    let mut state = process.signals.lock(cx);
    if !core::mem::take(&mut state.stop_taken) || state.ending.is_some() || state.stopping.is_some() {
        return;
    }
    state.stopping = Some(signal);
    state.continued = false;
    state.interrupt_all_but(task.id());
}

/// Waits until the process goes on or the thread is to leave.
pub fn wait(cx: &mut TaskContext, task: &Arc<Task>) {
    let process = task.process().clone();
    let id = task.id();
    let completed = process.signals.lock(cx).mark_stopped(id);
    if let Some(signal) = completed {
        child::tell_stopped(cx, &process, signal);
    }
    process.life.wait_patiently_until(cx, |cx| {
        let state = process.signals.lock(cx);
        (state.stopping.is_none() || state.must_leave(id)).then_some(())
    });
    if let Some(member) = process.signals.lock(cx).members.get_mut(&id) {
        member.stopped = false;
    }
}
