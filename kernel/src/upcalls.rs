//! Which door leads where.
//!
//! Invariant: a program's fault ends in `osl`, a fault while copying user memory ends in the copy, any other fault of the kernel's own
//! ends in a report.

use crate::{debug, panic, places};
use libkernel::entry;
use libkernel::thread::current;
use machine::trap::Vector;
use machine::trap::frame::{TrapFrame, exception};
use machine::trap::upcalls::Upcalls;

pub static UPCALLS: Upcalls = Upcalls { syscall, page_fault, exception: exception_raised, interrupt, nmi, double_fault, machine_check };

fn syscall(frame: &mut TrapFrame) {
    entry::serve(frame, osl::syscall::enter);
}

fn page_fault(frame: &mut TrapFrame, address: u64) {
    if frame.from_user() {
        let access = entry::access_of(frame.error_code);
        entry::serve(frame, |cx, registers| osl::fault::user_page_fault(cx, registers, address, access));
    } else if !entry::page_fault_in_kernel(frame, address) {
        panic::fault("page fault", frame, Some(address));
    }
}

fn exception_raised(frame: &mut TrapFrame) {
    if frame.from_user() {
        let (vector, error_code) = (frame.vector, frame.error_code);
        entry::serve(frame, |cx, registers| osl::fault::user_exception(cx, registers, vector, error_code, 0));
        return;
    }
    match frame.vector {
        exception::BREAKPOINT => libkernel::warn!("breakpoint in the kernel at {:#x}", frame.rip),
        vector => {
            if !machine::user::fixup(frame) {
                panic::fault(name(vector), frame, None);
            }
        }
    }
}

fn interrupt(frame: &mut TrapFrame, vector: Vector) {
    entry::interrupt(frame, vector);
}

fn nmi(frame: &mut TrapFrame) {
    panic::stopped_by_another(frame);
    if !debug::takes_nmi() {
        places::answer(frame);
    }
}

fn double_fault(frame: &mut TrapFrame, address: u64) -> ! {
    panic::double_fault(frame, address)
}

fn machine_check(frame: &mut TrapFrame) -> ! {
    panic::fault("machine check", frame, None)
}

fn name(vector: u64) -> &'static str {
    match vector {
        exception::DIVIDE => "divide error",
        exception::DEBUG => "debug exception",
        exception::OVERFLOW => "overflow",
        exception::BOUND => "bound exceeded",
        exception::INVALID_OPCODE => "invalid opcode",
        exception::DEVICE_NOT_AVAILABLE => "device not available",
        exception::INVALID_TASK_STATE => "invalid task state",
        exception::SEGMENT_NOT_PRESENT => "segment not present",
        exception::STACK => "stack fault",
        exception::PROTECTION => "general protection",
        exception::FLOATING_POINT => "floating point",
        exception::ALIGNMENT => "alignment check",
        exception::SIMD => "SIMD exception",
        _ => "unexpected exception",
    }
}

/// The thread that runs here, for reports.
pub fn thread_name() -> impl core::fmt::Display + core::ops::Deref<Target = str> {
    current::name()
}
