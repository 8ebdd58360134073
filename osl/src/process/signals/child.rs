//! What a parent is told when a child ends, stops or goes on.
//!
//! Invariant: what `wait` will find is written under the tree's lock, and the parent's signal is sent under it too: whoever has waited
//! for a child hears no more of what it waited for. Its wait is woken after that.

use alloc::sync::Arc;

use abi::signal::{SIG_IGN, SIGCHLD, SIGCONT, SIGHUP, SignalInfo, action, code};
use sync::TaskContext;

use super::post::send_to_process;
use crate::process::shared::Process;
use crate::process::status::ExitStatus;
use crate::process::table::TREE;

const NANOSECONDS_PER_TICK: u64 = 10_000_000;

/// The signal's information for the parent of `child`.
fn information(cx: &TaskContext, child: &Process, signal: u32, code: i32, status: i32) -> SignalInfo {
    let spent = child.usage(cx).spent;
    let user = child.credentials(cx).uid;
    let mut information = SignalInfo::new(signal, code).with_sender(child.id(), user).with_status(status);
    let [_, _, utime, stime, ..] = &mut information.fields;
    *utime = spent.user_ns / NANOSECONDS_PER_TICK;
    *stime = spent.system_ns / NANOSECONDS_PER_TICK;
    information
}

/// Whether a parent's actions mean that its children are never waited for.
pub fn discards_children(cx: &TaskContext, parent: &Process) -> bool {
    let found = parent.actions(cx).get(SIGCHLD);
    found.handler == SIG_IGN || found.flags & action::NOCLDWAIT != 0
}

/// Signals the parent that the child has ended with this status, by `signal` (0: by none). Under the tree's lock.
pub fn signal_end(cx: &TaskContext, child: &Process, parent: &Process, signal: u32, status: ExitStatus) {
    if signal != 0 {
        let (code, status) = status.code_and_status();
        let information = information(cx, child, signal, code, status);
        send_to_process(cx, parent, information);
    }
}

/// Tells the parent that the process has stopped, unless it goes on already.
pub fn tell_stopped(cx: &mut TaskContext, process: &Process, signal: u32) {
    let parent = {
        let mut tree = TREE.lock(cx);
        if process.signals.lock(cx).stopping.is_none() {
            return;
        }
        tree.set_stopped(process.id(), signal);
        signal_change(cx, process, tree.parent_of(process.id()), code::CLD_STOPPED, signal.cast_signed())
    };
    parent.iter().for_each(|parent| parent.child_changed.wake_all(cx));
}

/// Tells the parent that the process goes on.
pub fn tell_continued(cx: &mut TaskContext, process: &Process) {
    let parent = {
        let mut tree = TREE.lock(cx);
        tree.set_continued(process.id());
        signal_change(cx, process, tree.parent_of(process.id()), code::CLD_CONTINUED, SIGCONT.cast_signed())
    };
    parent.iter().for_each(|parent| parent.child_changed.wake_all(cx));
}

fn signal_change(cx: &TaskContext, process: &Process, parent: Option<Arc<Process>>, code: i32, status: i32) -> Option<Arc<Process>> {
    let parent = parent?;
    let silent = parent.actions(cx).get(SIGCHLD).flags & action::NOCLDSTOP != 0;
    if !silent {
        let information = information(cx, process, SIGCHLD, code, status);
        send_to_process(cx, &parent, information);
    }
    Some(parent)
}

/// Somebody stopped for good reason and nobody is left to continue it: its group hears of it (`man 2 setpgid`).
pub fn signal_orphans(cx: &TaskContext, group: &[Arc<Process>]) {
    for signal in [SIGHUP, SIGCONT] {
        for process in group {
            send_to_process(cx, process, SignalInfo::new(signal, code::KERNEL));
        }
    }
}
