//! The hook on the way back to ring 3: whatever was posted for the thread is done here, and nowhere else.
//!
//! Invariant: "interrupted" is set and cleared under the process's signal lock only, so a thread that looks here after it was
//! interrupted sees why. A thread that leaves holds nothing any more.

use alloc::sync::Arc;

use abi::process::limit;
use abi::signal::{SIG_DFL, SIG_IGN, SIGSEGV, SignalAction, SignalInfo, action, code};
use libkernel::thread;
use libkernel::thread::registers::UserRegisters;
use sync::TaskContext;

use super::{frame, restart, sequence, stop};
use crate::process::signals::state::Step;
use crate::process::signals::{Disposition, SignalSet, child, post};
use crate::process::status::ExitStatus;
use crate::process::{Task, current, death, exit};

/// Called before a thread that was asked to look goes back to its program.
pub fn before_return(cx: &mut TaskContext, registers: &mut UserRegisters) {
    if settle(cx, registers) {
        death::leave(cx)
    }
}

/// Does all that waits. Must the thread leave?
fn settle(cx: &mut TaskContext, registers: &mut UserRegisters) -> bool {
    let Some(task) = current(cx) else {
        return false;
    };
    loop {
        match next_step(cx, &task) {
            Step::Leave => return true,
            Step::Stop => stop::wait(cx, &task),
            Step::ReportContinued => child::tell_continued(cx, task.process()),
            Step::Deliver(information) => deliver(cx, &task, registers, &information),
            Step::Nothing => break,
        }
    }
    restart::settle(registers, None);
    let mut state = task.process().signals.lock(cx);
    let saved = state.members.get_mut(&task.id()).and_then(|member| member.saved_mask.take());
    if let Some(mask) = saved {
        state.set_mask(task.id(), mask);
    }
    false
}

fn next_step(cx: &TaskContext, task: &Task) -> Step {
    let mut state = task.process().signals.lock(cx);
    thread::current::of(cx).clear_interrupted(cx);
    state.next_step(task.id())
}

fn deliver(cx: &mut TaskContext, task: &Arc<Task>, registers: &mut UserRegisters, information: &SignalInfo) {
    let signal = information.signal.cast_unsigned();
    let process = task.process();
    process.interval.taken(cx, signal);
    let action = process.actions(cx).take_for_delivery(signal);
    match action.handler {
        SIG_IGN => {}
        SIG_DFL => by_default(cx, task, signal),
        _ => run_handler(cx, task, registers, information, &action),
    }
}

fn by_default(cx: &mut TaskContext, task: &Arc<Task>, signal: u32) {
    let dumped = match Disposition::default_of(signal) {
        Disposition::Ignore | Disposition::Continue => return,
        Disposition::Stop => return stop::begin(cx, task, signal),
        Disposition::Terminate => false,
        // No core file is ever written; the status says so as Linux's would where the limit forbids one.
        Disposition::Dump => task.process().soft_limit(cx, limit::CORE) > 0,
    };
    exit::end_process(cx, task, ExitStatus::Killed { signal, dumped });
}

fn run_handler(cx: &mut TaskContext, task: &Arc<Task>, registers: &mut UserRegisters, information: &SignalInfo, action: &SignalAction) {
    let signal = information.signal.cast_unsigned();
    restart::settle(registers, Some(action.flags & action::RESTART != 0));
    registers.forget_system_call();
    if sequence::disturbed(cx, task, registers).is_err() {
        refuse(cx, task, signal);
    }
    let (mask, saved) = {
        let mut state = task.process().signals.lock(cx);
        let Some(member) = state.members.get_mut(&task.id()) else {
            return;
        };
        (member.mask, member.saved_mask.take())
    };
    if frame::push(cx, task, registers, information, action, saved.unwrap_or(mask)).is_err() {
        return refuse(cx, task, signal);
    }
    let mut held_back = mask.union(SignalSet::from_bits(action.mask));
    if action.flags & action::NODEFER == 0 {
        held_back = held_back.with(signal);
    }
    task.process().signals.lock(cx).set_mask(task.id(), held_back);
}

/// What a handler for this signal needs in the program's memory cannot be had there.
fn refuse(cx: &mut TaskContext, task: &Arc<Task>, signal: u32) {
    if signal == SIGSEGV {
        task.process().actions(cx).reset(SIGSEGV);
    }
    post::force(cx, task, SignalInfo::new(SIGSEGV, code::KERNEL));
}
