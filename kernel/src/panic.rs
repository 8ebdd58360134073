//! The end: stop every CPU, say why, once.
//!
//! Invariant: the first CPU that comes here reports; every other one, whether it came by its own fault or was stopped, only notes where
//! it was. Nothing here takes a lock, allocates or waits without a bound.

use crate::{places, upcalls};
use core::fmt::{self, Write};
#[cfg(target_os = "none")]
use core::panic::PanicInfo;
use machine::serial::{self, Port};
use machine::trap::frame::TrapFrame;
use machine::{apic, backtrace, cpu, power};
use sync::Flag;

/// Set by the first CPU that comes here.
static REPORTING: Flag = Flag::new(false);

/// Writes straight to the log's line, whoever may hold its lock.
struct Line(Port);

impl Write for Line {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        for byte in text.bytes() {
            self.0.write_byte(byte);
        }
        Ok(())
    }
}

macro_rules! say {
    ($($argument:tt)*) => { tell(format_args!($($argument)*)) };
}

fn tell(text: fmt::Arguments<'_>) {
    // The line takes everything; a failing `Display` only shortens it.
    let _ = writeln!(Line(Port::new(serial::COM2)), "{text}");
}

/// A panic of the kernel's own code. On the host, where tests run, panics are the standard library's.
#[cfg(target_os = "none")]
pub fn panicked(information: &PanicInfo<'_>) -> ! {
    begin();
    match information.location() {
        Some(location) => say!("braid: panic: {} at {}:{}", information.message(), location.file(), location.line()),
        None => say!("braid: panic: {}", information.message()),
    }
    finish(backtrace::here())
}

/// An exception that the kernel's own code must not raise.
pub fn fault(what: &str, frame: &TrapFrame, address: Option<u64>) -> ! {
    begin();
    match address {
        Some(address) => {
            say!("braid: panic: {what} in the kernel at {:#x}, address {address:#x}, error code {:#x}", frame.rip, frame.error_code);
        }
        None => {
            say!("braid: panic: {what} in the kernel at {:#x}, error code {:#x}", frame.rip, frame.error_code);
        }
    }
    registers(frame);
    finish(backtrace::from(frame))
}

/// A double fault: nearly always a kernel stack that ran over.
pub fn double_fault(frame: &TrapFrame, address: u64) -> ! {
    begin();
    match libkernel::thread::stack::describe(address) {
        Some(libkernel::thread::stack::StackAddress::Guard { slot }) => {
            say!("braid: panic: kernel stack overflow of thread {} (stack {slot}, address {address:#x})", upcalls::thread_name());
        }
        _ => {
            say!("braid: panic: double fault at {:#x}, last page fault at {address:#x}", frame.rip);
        }
    }
    registers(frame);
    finish(backtrace::from(frame))
}

/// No panic: every CPU stops for good because a program asked for it.
pub fn stand_still() -> ! {
    begin();
    cpu::halt_for_ever()
}

/// This CPU was stopped by a panic on another one, if there is one.
pub fn stopped_by_another(frame: &TrapFrame) {
    if !REPORTING.is_set() {
        return;
    }
    places::note(backtrace::from(frame));
    cpu::halt_for_ever()
}

/// Only one CPU gets past this.
fn begin() {
    sync::cpu::disable_interrupts();
    sync::chaos::stop();
    if !REPORTING.claim() {
        places::note(backtrace::here());
        cpu::halt_for_ever();
    }
    places::begin_round();
    apic::ipi::nmi_all_others();
}

fn registers(frame: &TrapFrame) {
    say!("  rax {:016x} rbx {:016x} rcx {:016x} rdx {:016x}", frame.rax, frame.rbx, frame.rcx, frame.rdx);
    say!("  rsi {:016x} rdi {:016x} rbp {:016x} rsp {:016x}", frame.rsi, frame.rdi, frame.rbp, frame.rsp);
    say!("  r8  {:016x} r9  {:016x} r10 {:016x} r11 {:016x}", frame.r8, frame.r9, frame.r10, frame.r11);
    say!("  r12 {:016x} r13 {:016x} r14 {:016x} r15 {:016x}", frame.r12, frame.r13, frame.r14, frame.r15);
    say!("  rip {:016x} cs {:x} rflags {:x}", frame.rip, frame.cs, frame.rflags);
}

fn finish(trace: impl Iterator<Item = u64>) -> ! {
    let me = sync::cpu::current();
    say!("  cpu {}, thread {}", me.index(), upcalls::thread_name());
    say!("  held: spin {}; sleeping {}", sync::order::Names(sync::cpu::spin_held()), sync::order::Names(sync::cpu::sleep_held()));
    if let Some(seed) = sync::chaos::seed() {
        say!("  chaos={seed}");
    }
    trace.take(places::DEPTH).for_each(|address| places::line(address, &tell));
    places::print_others(&tell);
    say!("braid: halted");
    power::off()
}
