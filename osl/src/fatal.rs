//! Which instruction ended a program, in the log.
//!
//! Invariant: a few lines in a while, however many programs end so.

use core::fmt::Arguments;

use abi::Errno;
use libkernel::clock;
use libkernel::log::info;
use libkernel::thread::registers::UserRegisters;
use sync::{Published, TaskContext};

use crate::process::Task;
use crate::process::task::LastFault;

/// So many lines within a period; the others are left out.
const LINES: u64 = 10;
const PERIOD: u64 = 5_000_000_000;

/// The number of the period, and how many lines it had, in one word.
static TOLD: Published<u64> = Published::<u64>::new(0);
const COUNT_BITS: u32 = 16;

/// Whoever looks for the cause of a program's end finds it here: `signal` has no handler.
pub fn tell(cx: &TaskContext, task: &Task, registers: &UserRegisters, fault: LastFault, signal: i32) {
    let LastFault { vector, error_code, address } = fault;
    let what = format_args!("exception {vector}, error {error_code:#x}, address {address:#x}: signal {signal}");
    line(cx, task, registers, what);
}

/// The same of a restartable sequence that makes no sense.
pub fn tell_of_section(cx: &TaskContext, task: &Task, registers: &UserRegisters, error: Errno) {
    let area = task.sequences.registration().map_or(0, |registration| registration.area);
    line(cx, task, registers, format_args!("restartable sequences at {area:#x}: {error:?}"));
}

fn line(cx: &TaskContext, task: &Task, registers: &UserRegisters, what: Arguments<'_>) {
    if is_granted(&TOLD, clock::now() / PERIOD) {
        let (instruction, stack) = (registers.instruction_pointer(), registers.stack_pointer());
        let (name, process, thread) = (task.name(cx), task.process().id(), task.id());
        info!("{name} (process {process}, task {thread}): {what}; instruction {instruction:#x}, stack {stack:#x}");
    }
}

fn is_granted(told: &Published<u64>, period: u64) -> bool {
    let mut before = told.load();
    loop {
        let count = if before >> COUNT_BITS == period { before & ((1 << COUNT_BITS) - 1) } else { 0 };
        if count >= LINES {
            return false;
        }
        match told.compare_exchange(before, period << COUNT_BITS | (count + 1)) {
            Ok(_) => return true,
            Err(other) => before = other,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_period_has_so_many_lines() {
        let told = Published::<u64>::new(0);
        let granted = |period| (0..3 * LINES).filter(|_| is_granted(&told, period)).count() as u64;
        assert_eq!((granted(0), granted(0), granted(7), granted(8)), (LINES, 0, LINES, LINES));
    }
}
