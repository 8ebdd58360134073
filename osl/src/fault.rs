//! What a program's own instruction brought about, as the signal that Linux makes of it.
//!
//! Invariant: a fault in ring 3 becomes a signal to the thread that caused it and to nobody else; the kernel goes on.

use alloc::sync::Arc;

use abi::signal::*;
use libkernel::log::warn;
use libkernel::memory::frames::Shortage;
use libkernel::thread::registers::{self, UserRegisters};
use libkernel::thread::{self, Access, Fault, user};
use sync::TaskContext;

use crate::fatal;
use crate::process::signals::post;
use crate::process::status::ExitStatus;
use crate::process::task::LastFault;
use crate::process::{Task, current, exit, shortage};
use crate::signal::extended;

/// Exceptions by number (SDM vol. 3, 6.15).
mod vector {
    pub const DIVIDE: u64 = 0;
    pub const DEBUG: u64 = 1;
    pub const BREAKPOINT: u64 = 3;
    pub const INVALID_OPCODE: u64 = 6;
    pub const NO_SEGMENT: u64 = 11;
    pub const STACK_SEGMENT: u64 = 12;
    pub const PAGE_FAULT: u64 = 14;
    pub const FLOATING_POINT: u64 = 16;
    pub const ALIGNMENT: u64 = 17;
    pub const VECTOR_UNIT: u64 = 19;
}

/// Bits of a page fault's error code.
const ERROR_PRESENT: u64 = 1;
const ERROR_WRITE: u64 = 2;
const ERROR_USER: u64 = 4;
const ERROR_FETCH: u64 = 16;

/// A program's instruction raised an exception other than a page fault.
pub fn user_exception(cx: &mut TaskContext, registers: &mut UserRegisters, vector: u64, error_code: u64, address: u64) {
    let Some(task) = current(cx) else {
        return;
    };
    let at = registers.instruction_pointer();
    let information = match vector {
        vector::DIVIDE => SignalInfo::new(SIGFPE, code::FPE_INTDIV).with_address(at),
        vector::DEBUG => SignalInfo::new(SIGTRAP, code::TRAP_TRACE).with_address(at),
        vector::BREAKPOINT => SignalInfo::new(SIGTRAP, code::KERNEL),
        vector::INVALID_OPCODE => SignalInfo::new(SIGILL, code::ILL_ILLOPN).with_address(at),
        vector::NO_SEGMENT | vector::STACK_SEGMENT => SignalInfo::new(SIGBUS, code::KERNEL),
        vector::ALIGNMENT => SignalInfo::new(SIGBUS, code::BUS_ADRALN).with_address(address),
        vector::FLOATING_POINT | vector::VECTOR_UNIT => {
            let state = registers::extended_state_bytes(cx);
            let raised = extended::raised(&state, vector == vector::VECTOR_UNIT);
            SignalInfo::new(SIGFPE, floating_point_code(raised)).with_address(at)
        }
        _ => SignalInfo::new(SIGSEGV, code::KERNEL),
    };
    force(cx, &task, registers, LastFault { vector, error_code, address }, information);
}

/// The reason that Linux names first when several exceptions stand.
fn floating_point_code(raised: u32) -> i32 {
    const DENORMAL: u32 = 0x02;
    const DIVISION: u32 = 0x04;
    const OVERFLOW: u32 = 0x08;
    const UNDERFLOW: u32 = 0x10;
    const PRECISION: u32 = 0x20;
    const INVALID: u32 = 0x01;
    match raised {
        raised if raised & INVALID != 0 => code::FPE_FLTINV,
        raised if raised & DIVISION != 0 => code::FPE_FLTDIV,
        raised if raised & OVERFLOW != 0 => code::FPE_FLTOVF,
        raised if raised & (UNDERFLOW | DENORMAL) != 0 => code::FPE_FLTUND,
        raised if raised & PRECISION != 0 => code::FPE_FLTRES,
        _ => code::FPE_FLTINV,
    }
}

/// A program's instruction could not use an address: it gets the page, or the signal.
pub fn user_page_fault(cx: &mut TaskContext, registers: &mut UserRegisters, address: u64, access: Access) {
    let Some(task) = current(cx) else {
        return;
    };
    let Err(fault) = settle(cx, &task, address, access) else {
        return;
    };
    let information = match fault {
        Fault::NotMapped => SignalInfo::new(SIGSEGV, code::SEGV_MAPERR),
        Fault::Protected => SignalInfo::new(SIGSEGV, code::SEGV_ACCERR),
        Fault::NoContents => SignalInfo::new(SIGBUS, code::BUS_ADRERR),
        // No other program had to die, or that was not enough: nothing this one could do would help it.
        Fault::NoMemory => {
            warn!("out of memory: {} (process {}) has no page for {address:#x} and ends", task.name(cx), task.process().id());
            return exit::end_process(cx, &task, ExitStatus::Killed { signal: SIGKILL, dumped: false });
        }
    };
    let error_code = error_code(fault, access);
    let fault = LastFault { vector: vector::PAGE_FAULT, error_code, address };
    force(cx, &task, registers, fault, information.with_address(address));
}

/// Gives the program its page. When there is none, whoever has most is killed first.
fn settle(cx: &mut TaskContext, task: &Task, address: u64, access: Access) -> Result<(), Fault> {
    loop {
        match user::fault(cx, address, access) {
            Err(Fault::NoMemory) => {}
            Ok(()) => {
                thread::current::of(cx).count_page_fault();
                return Ok(());
            }
            refused => return refused,
        }
        if !shortage::relieve(cx, task, Shortage::Short) {
            return Err(Fault::NoMemory);
        }
    }
}

fn error_code(fault: Fault, access: Access) -> u64 {
    let present = if fault == Fault::Protected { ERROR_PRESENT } else { 0 };
    let kind = match access {
        Access::Read => 0,
        Access::Write => ERROR_WRITE,
        Access::Execute => ERROR_FETCH,
    };
    ERROR_USER | present | kind
}

fn force(cx: &TaskContext, task: &Arc<Task>, registers: &UserRegisters, fault: LastFault, information: SignalInfo) {
    task.set_last_fault(cx, fault);
    post::force(cx, task, information);
    if post::is_default(cx, task.process(), information.signal.cast_unsigned()) {
        fatal::tell(cx, task, registers, fault, information.signal);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_fault_says_what_was_tried_and_whether_something_was_there() {
        assert_eq!(error_code(Fault::NotMapped, Access::Read), 4);
        assert_eq!(error_code(Fault::Protected, Access::Write), 7);
        assert_eq!(error_code(Fault::Protected, Access::Execute), 0x15);
    }

    #[test]
    fn an_invalid_operation_is_named_before_a_division() {
        assert_eq!(floating_point_code(0x05), code::FPE_FLTINV);
        assert_eq!(floating_point_code(0x04), code::FPE_FLTDIV);
        assert_eq!(floating_point_code(0x20), code::FPE_FLTRES);
    }
}
