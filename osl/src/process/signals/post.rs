//! Posting a signal: it waits for its taker, the taker is made to look, and what happens at once happens.
//!
//! Invariant: the thread that is to look is interrupted while the lock is held: only its place in the list of threads keeps it
//! alive, and an interrupt handler must not be the one who lets go of it last.

use alloc::sync::Arc;

use abi::process::limit;
use abi::signal::{SIG_DFL, SIGCONT, SIGKILL, SignalInfo};
use sync::{Allows, IrqContext, TaskContext, kind};

use super::pending::Queued;
use super::program_timer::Expired;
use super::set::SignalSet;
use super::state::SignalState;
use super::watch;
use crate::process::shared::Process;
use crate::process::status::ExitStatus;
use crate::process::table;
use crate::process::task::Task;

/// What became of a posted signal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Posted {
    /// It waits, or did its work at once.
    Done,
    /// It would do nothing, so it was thrown away.
    Ignored,
    /// It waits without its information: the queue is full.
    QueueFull,
}

/// Sends a signal to whichever thread of a process takes it.
pub fn send_to_process<X: Allows<kind::Task> + Allows<kind::Irq>>(cx: &X, process: &Process, information: SignalInfo) -> Posted {
    post(cx, process, None, information)
}

/// Sends a signal to one thread.
pub fn send_to_task(cx: &TaskContext, task: &Arc<Task>, information: SignalInfo) -> Posted {
    post(cx, task.process(), Some(task.id()), information)
}

/// Sends a signal to every process of a group. Was there one?
pub fn send_to_group(cx: &mut TaskContext, group: i32, information: SignalInfo) -> bool {
    let processes = table::in_group(cx, group);
    for process in &processes {
        send_to_process(cx, process, information);
    }
    !processes.is_empty()
}

/// From a timer's interrupt: needs no memory and takes nobody's last reference. Whether it is ignored shows at delivery.
pub fn alarm(irq: &IrqContext, process: &Process, signal: u32) {
    let mut state = process.signals.lock(irq);
    if state.ending.is_none() {
        act_at_once(&mut state, signal);
        state.shared.mark(signal);
        wake_taker(&state, None, signal);
    }
    drop(state);
    tell(irq, process, signal);
}

/// A program timer's interrupt, as `alarm`.
pub(in crate::process) fn timer_expired(irq: &IrqContext, process: &Process, number: i32, serial: u64) {
    let mut state = process.signals.lock(irq);
    let Expired::Told(signal, thread) = state.timer_expired(number, serial) else { return };
    act_at_once(&mut state, signal);
    wake_taker(&state, thread, signal);
    drop(state);
    tell(irq, process, signal);
}

/// Those who wait for the process to go on or to end, and those who watch its signals.
fn tell<X: Allows<kind::Irq>>(cx: &X, process: &Process, signal: u32) {
    if signal == SIGKILL || signal == SIGCONT {
        process.life.wake_all(cx);
    }
    watch::tell(cx, process);
}

fn post<X: Allows<kind::Task> + Allows<kind::Irq>>(cx: &X, process: &Process, target: Option<i32>, information: SignalInfo) -> Posted {
    let signal = information.signal.cast_unsigned();
    let ignored = process.actions(cx).ignores(signal);
    let ends = process.actions(cx).ends_by(signal);
    let room = usize::try_from(process.soft_limit(cx, limit::PENDING_SIGNALS)).unwrap_or(usize::MAX);
    let mut state = process.signals.lock(cx);
    if state.ending.is_some() {
        return Posted::Done;
    }
    act_at_once(&mut state, signal);
    if ends && state.is_taken_at_once(target, signal) {
        state.end(ExitStatus::Killed { signal, dumped: false });
        drop(state);
        process.life.wake_all(cx);
        return Posted::Done;
    }
    let posted =
        if ignored && !state.is_held_back(target, signal) { Posted::Ignored } else { queue(&mut state, target, information, room) };
    drop(state);
    tell(cx, process, signal);
    posted
}

/// Stop and continue signals undo each other while they wait, and a continue signal works even when it is ignored.
fn act_at_once(state: &mut SignalState, signal: u32) {
    if signal == SIGCONT {
        state.resume();
    } else if SignalSet::STOPPING.contains(signal) {
        state.forget(SignalSet::single(SIGCONT));
    }
}

fn queue(state: &mut SignalState, target: Option<i32>, information: SignalInfo, room: usize) -> Posted {
    let signal = information.signal.cast_unsigned();
    let pending = match target {
        None => &mut state.shared,
        Some(id) => match state.members.get_mut(&id) {
            Some(member) => &mut member.pending,
            None => return Posted::Done,
        },
    };
    let queued = pending.add(signal, information, room);
    wake_taker(state, target, signal);
    if queued == Queued::WithoutInformation { Posted::QueueFull } else { Posted::Done }
}

fn wake_taker(state: &SignalState, target: Option<i32>, signal: u32) {
    let member = match target {
        Some(id) => state.members.get(&id),
        None => state.choose(signal),
    };
    if let Some(member) = member
        && (!member.mask.contains(signal) || member.awaited.contains(signal))
    {
        member.task.interrupt();
    }
}

/// A signal that the thread's own instruction brought about: it cannot be held back or ignored, at worst it ends the process.
pub fn force(cx: &TaskContext, task: &Arc<Task>, information: SignalInfo) {
    let signal = information.signal.cast_unsigned();
    let process = task.process();
    let mut state = process.signals.lock(cx);
    let Some(member) = state.members.get_mut(&task.id()) else {
        return;
    };
    let held_back = member.mask.contains(signal);
    member.mask = member.mask.without(signal);
    member.pending.forget(SignalSet::single(signal));
    member.pending.add(signal, information, usize::MAX);
    drop(state);
    let actions = process.actions(cx);
    if held_back || actions.ignores(signal) {
        actions.reset(signal);
    }
    task.must_look();
}

/// Begins the end of the whole process.
pub fn end_process<X: Allows<kind::Irq>>(cx: &X, process: &Process, status: ExitStatus) {
    process.signals.lock(cx).end(status);
    process.life.wake_all(cx);
}

/// Lets whoever waits for something in the life of the process look again.
pub fn wake_for_end(cx: &TaskContext, process: &Process) {
    process.life.wake_all(cx);
}

/// Whether a thread holds a signal back or its process ignores it: the terminal's question about background programs.
pub fn is_blocked_or_ignored(cx: &TaskContext, task: &Task, signal: u32) -> bool {
    let ignored = task.process().actions(cx).ignores(signal);
    ignored || task.process().signals.lock(cx).is_held_back(Some(task.id()), signal)
}

/// Whether a thread has a signal to deal with before it goes back to its program.
pub fn has_pending(cx: &TaskContext, task: &Task) -> bool {
    task.process().signals.lock(cx).must_look(task.id())
}

/// Whether the process has neither a handler for a signal nor ignores it.
pub fn is_default(cx: &TaskContext, process: &Process, signal: u32) -> bool {
    process.actions(cx).get(signal).handler == SIG_DFL
}
