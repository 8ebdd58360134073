//! Those who wait for signals through a file: `signalfd`.
//!
//! Invariant: a process is marked before its signals are looked at under their lock, and the mark is looked at after a signal was added
//! under it: so whoever looked too early is told.

use libkernel::wait::WaitQueue;
use sync::{Allows, Published, TaskContext, kind};

use super::set::SignalSet;
use crate::process::shared::Process;
use crate::process::task::Task;

/// Woken when a watched process got a signal. One for all: such a file shows each process that holds it its own signals.
pub static ARRIVED: WaitQueue = WaitQueue::named("a signal through a file");
static ARRIVALS: Published<u64> = Published::<u64>::new(0);

/// Grows with every signal of a watched process.
pub fn arrivals() -> u64 {
    ARRIVALS.load()
}

/// A signal was posted.
pub(super) fn tell<X: Allows<kind::Irq>>(context: &X, process: &Process) {
    if process.is_watched.is_set() {
        ARRIVALS.fetch_add(1);
        ARRIVED.wake_all(context);
    }
}

/// Whether any of `wanted` waits for the thread; from now on its process's signals are told.
pub fn is_waiting(cx: &TaskContext, task: &Task, wanted: SignalSet) -> bool {
    let process = task.process();
    process.is_watched.set();
    let state = process.signals.lock(cx);
    let own = state.members.get(&task.id()).map_or(SignalSet::EMPTY, |member| member.pending.set());
    !own.union(state.shared.set()).intersection(wanted).is_empty()
}
