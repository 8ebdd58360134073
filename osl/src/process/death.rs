//! A thread leaves for good; with the last one the process ends.
//!
//! Invariant: the last thread has let go of everything that its process had before the end is written down in the tree (`ending`).

use alloc::sync::Arc;

use libkernel::address_space::{UserAddress, user};
use libkernel::{sched, thread};
use sync::{Once, TaskContext};

use super::current::current;
use super::ending;
use super::groups;
use super::program_timers;
use super::shared::Process;
use super::signals::{SignalSet, child};
use super::status::ExitStatus;
use super::table::TREE;
use super::task::Task;
use super::tree::{FIRST, Zombie};
use crate::file::in_flight;
use crate::futex;
use crate::system_v::semaphores;

/// Called when the first process ends: the machine has nothing left to do.
pub static FIRST_ENDED: Once<fn(&mut TaskContext, ExitStatus)> = Once::new();

/// Ends the calling thread. Whoever calls holds nothing that needs to be dropped.
pub fn leave(cx: &mut TaskContext) -> ! {
    if let Some(task) = current(cx) {
        depart(cx, &task);
        drop(task);
    }
    sched::exit(cx)
}

fn depart(cx: &mut TaskContext, task: &Arc<Task>) {
    let process = task.process().clone();
    let_go_of_memory(cx, task, true);
    let files = task.replace_files(cx, None);
    if let Some(files) = files.and_then(Arc::into_inner) {
        files.close_all(cx);
        in_flight::collect_after_end(cx);
    }
    let places = task.replace_file_system(cx, None);
    drop(places);
    thread::user::set_memory(cx, None);
    let id = task.id();
    let (is_last, status, stopped) = leave_members(cx, &process, id);
    let place = TREE.lock(cx).remove_task(id, task);
    drop(place);
    if is_last {
        end(cx, &process, status);
        return;
    }
    process.life.wake_all(cx);
    if let Some(signal) = stopped {
        child::tell_stopped(cx, &process, signal);
    }
}

/// What Linux does when a task lets go of its memory, at its end or when it changes the program: its robust futexes are marked,
/// its number is cleared where it asked for that, and who lent it the memory goes on.
pub fn let_go_of_memory(cx: &mut TaskContext, task: &Arc<Task>, for_good: bool) {
    let robust = task.robust_list.swap(0);
    if robust != 0 {
        futex::robust::release_all(cx, robust, task.id());
    }
    futex::hand_over::release_all(cx, &task.futexes, for_good);
    let clear = task.clear_child.swap(0);
    if clear != 0 {
        let address = UserAddress::new(clear);
        if user::copy_out_value(cx, address, &0u32).is_ok() {
            futex::wake_one(cx, address);
        }
    }
    if let Some(lender) = task.take_lender(cx) {
        lender.life.wake_all(cx);
    }
}

/// Takes the task off the list of threads: was it the last, how does the process end then, and is its stop complete now?
fn leave_members(cx: &TaskContext, process: &Process, id: i32) -> (bool, ExitStatus, Option<u32>) {
    let mut state = process.signals.lock(cx);
    let member = state.remove(id);
    let own_code = member.as_ref().and_then(|member| member.leaving).unwrap_or(0);
    if id == process.id() {
        state.first_code = Some(own_code);
    }
    let first = ExitStatus::Exited(state.first_code.unwrap_or(own_code));
    let status = state.ending.unwrap_or(first);
    let is_last = state.members.is_empty();
    if is_last {
        // Nobody is left to take a signal: what is posted from now on is lost, as to any zombie.
        state.ending = Some(status);
        state.forget(SignalSet::from_bits(u64::MAX));
    } else {
        let waiting = state.shared.set();
        state.retarget(waiting);
    }
    let stopped = state.completed_stop();
    drop(state);
    drop(member);
    (is_last, status, stopped)
}

fn end(cx: &mut TaskContext, process: &Arc<Process>, status: ExitStatus) {
    process.interval.cancel_all(cx);
    process.cpu_limit.cancel(cx);
    program_timers::delete_all(cx, process);
    if process.undoes_operations.is_set() {
        semaphores::undo_all(cx, process.id());
    }
    let usage = process.usage(cx).plus(process.children_usage(cx));
    let space = process.replace_space(cx, None);
    drop(space);
    groups::leave_terminal(cx, process);
    ending::end(cx, process, Zombie { status, usage });
    if process.id() == FIRST
        && let Some(machine_ends) = FIRST_ENDED.get()
    {
        machine_ends(cx, status);
    }
}
