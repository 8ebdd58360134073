//! Number in, errno out; a trace if asked.
//!
//! Invariant: every call gets an answer in the result register before the thread goes back, unless it never goes back.

use abi::Errno;
use libkernel::log::{info, warn};
use libkernel::thread::registers::UserRegisters;
use sync::{Flag, TaskContext};

use super::call::Call;
use super::{Arguments, Caller, shortage, table};
use crate::process;

/// While set, each call and its result goes to the kernel log.
pub static TRACE: Flag = Flag::new(false);

/// One flag for each number below this; all higher ones share the last.
const REMEMBERED: usize = 1024;
static REPORTED: [Flag; REMEMBERED] = [const { Flag::new(false) }; REMEMBERED];

/// Serves the call that `registers` stand at and leaves its result there.
pub fn enter(cx: &mut TaskContext, registers: &mut UserRegisters) {
    // Linux looks at the low half only: the number is an `int`.
    let number = registers.number() & u64::from(u32::MAX);
    let arguments = Arguments::of(registers);
    let Some(task) = process::current(cx) else {
        registers.set_result(Errno::ENOSYS.as_result());
        return;
    };
    let mut caller = Caller { cx, task, registers };
    let answer = match table::find(number) {
        Some(call) => serve(&mut caller, call, &arguments),
        None => unknown(&caller, number),
    };
    caller.registers.set_result(word(answer));
}

fn serve(caller: &mut Caller<'_>, call: &'static Call, arguments: &Arguments) -> Result<u64, Errno> {
    caller.task.last_call.set(u64::from(call.number));
    let answer = match shortage::admit(caller, call) {
        Ok(()) => shortage::with_pages(caller, |caller| (call.handler)(caller, arguments)),
        Err(errno) => Err(errno),
    };
    if TRACE.is_set() {
        trace(caller, call.name, arguments, answer);
    }
    answer
}

fn trace(caller: &Caller<'_>, name: &str, arguments: &Arguments, answer: Result<u64, Errno>) {
    let thread = caller.task.id();
    match answer {
        Ok(value) => info!("{thread} {name}{arguments:x?} = {value:#x}"),
        Err(errno) => info!("{thread} {name}{arguments:x?} = {errno:?}"),
    }
}

/// A number without a call: told once, so that a program that keeps trying cannot fill the log.
fn unknown(caller: &Caller<'_>, number: u64) -> Result<u64, Errno> {
    if is_new(number) {
        let name = caller.task.name(caller.cx);
        warn!("{name}: system call {number} is not there; answered ENOSYS");
    }
    Err(Errno::ENOSYS)
}

fn is_new(number: u64) -> bool {
    let place = usize::try_from(number).unwrap_or(usize::MAX).min(REMEMBERED - 1);
    REPORTED.get(place).is_some_and(|reported| reported.claim())
}

/// The result register: the value, or the errno below zero.
fn word(answer: Result<u64, Errno>) -> i64 {
    match answer {
        Ok(value) => value.cast_signed(),
        Err(errno) => errno.as_result(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_unknown_number_is_reported_once() {
        assert!(is_new(777));
        assert!(!is_new(777));
        assert!(is_new(778));
    }

    #[test]
    fn all_absurd_numbers_share_one_report() {
        assert!(is_new(u64::MAX));
        assert!(!is_new(u64::from(u32::MAX)));
    }

    #[test]
    fn an_error_is_returned_below_zero() {
        assert_eq!(word(Err(Errno::ENOSYS)), -38);
        assert_eq!(word(Ok(3)), 3);
    }
}
