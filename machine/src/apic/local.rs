//! This CPU's local APIC, through MSRs (x2APIC) or memory (xAPIC).
//!
//! Invariant: the boot CPU chooses the way in, all CPUs go the same. A command of two words (xAPIC) is written with
//! interrupts off, so that no handler's own command comes between.

use crate::addr::PhysAddr;
use crate::cpu::{block, features};
use crate::{msr, paging};
use core::arch::asm;
use sync::{Counter, CpuId, IrqOff, Once};

/// The timer of this CPU has run out.
pub const TIMER: u8 = 0xf0;
/// Another CPU wants this one to look at its run queue or at the attention of its thread.
pub const KNOCK: u8 = 0xf1;
/// Another CPU has left a request in this one's mailbox.
pub const CALL: u8 = 0xf2;
/// The local APIC's own error interrupt.
pub const ERROR: u8 = 0xfe;
/// An interrupt that went away before it was delivered. Needs no end of interrupt.
pub const SPURIOUS: u8 = 0xff;

const BASE_X2APIC: u64 = 1 << 10;
const BASE_ENABLED: u64 = 1 << 11;
const BASE_ADDRESS: u64 = 0x000f_ffff_ffff_f000;
const SOFTWARE_ENABLED: u32 = 1 << 8;
const MASKED: u32 = 1 << 16;
const COMMAND_PENDING: u32 = 1 << 12;
const DELIVER_NMI: u32 = 4 << 8;
const PAGE: usize = 4096;

/// Registers by their xAPIC offset.
#[derive(Clone, Copy, PartialEq, Eq)]
#[repr(u16)]
pub(super) enum Register {
    Id = 0x20,
    TaskPriority = 0x80,
    EndOfInterrupt = 0xb0,
    LogicalDestination = 0xd0,
    DestinationFormat = 0xe0,
    Spurious = 0xf0,
    ErrorStatus = 0x280,
    Command = 0x300,
    CommandDestination = 0x310,
    LocalTimer = 0x320,
    LocalThermal = 0x330,
    LocalPerformance = 0x340,
    LocalPin0 = 0x350,
    LocalPin1 = 0x360,
    LocalError = 0x370,
    InitialCount = 0x380,
    CurrentCount = 0x390,
    DivideConfiguration = 0x3e0,
}

#[derive(Clone, Copy)]
enum Access {
    Msr,
    /// Address of the register page.
    Memory(usize),
}

static ACCESS: Once<Access> = Once::new();

fn access() -> Access {
    *ACCESS.expect_set("the local APIC's way in (`initialise_this_cpu` on the boot CPU)")
}

const fn msr_of(register: Register) -> u32 {
    msr::X2APIC + register as u32 / 16
}

pub(super) fn read(register: Register) -> u32 {
    match access() {
        // SAFETY: x2APIC mode is on, and the register is one that it has.
        Access::Msr => unsafe { msr::read(msr_of(register)) as u32 },
        // SAFETY: the page is mapped for ever, and the registers are 32-bit words in it.
        Access::Memory(base) => unsafe { ((base + register as usize) as *const u32).read_volatile() },
    }
}

pub(super) fn write(register: Register, value: u32) {
    match access() {
        // SAFETY: as in `read`; what each caller writes leaves memory alone.
        Access::Msr => unsafe { msr::write(msr_of(register), u64::from(value)) },
        // SAFETY: as in `read`.
        Access::Memory(base) => unsafe { ((base + register as usize) as *mut u32).write_volatile(value) },
    }
}

/// Switches this CPU's local APIC on: everything masked but what is sent to it. The boot CPU's call chooses x2APIC or
/// xAPIC for all, and maps the latter's page.
pub fn initialise_this_cpu() {
    let x2apic = features::get().x2apic;
    // SAFETY: every CPU that has an APIC has this register; the address in it is kept.
    unsafe {
        let base = msr::read(msr::APIC_BASE);
        if ACCESS.get().is_none() {
            let _ = ACCESS.set(if x2apic { Access::Msr } else { Access::Memory(map(base & BASE_ADDRESS)) });
        }
        match access() {
            // The manual forbids going from off to x2APIC in one step.
            Access::Msr => {
                msr::write(msr::APIC_BASE, base | BASE_ENABLED);
                msr::write(msr::APIC_BASE, base | BASE_ENABLED | BASE_X2APIC);
            }
            Access::Memory(_) => msr::write(msr::APIC_BASE, base | BASE_ENABLED),
        }
    }
    configure();
    block::set_apic_id(sync::cpu::current(), id());
}

fn map(physical: u64) -> usize {
    paging::kernel_space::map_device(PhysAddr::new(physical), PAGE).as_u64() as usize
}

fn configure() {
    if let Access::Memory(_) = access() {
        write(Register::DestinationFormat, u32::MAX);
        write(Register::LogicalDestination, 0);
    }
    write(Register::TaskPriority, 0);
    for masked in [Register::LocalTimer, Register::LocalThermal, Register::LocalPerformance, Register::LocalPin0] {
        write(masked, MASKED);
    }
    // The second pin is the NMI line, on every PC.
    write(Register::LocalPin1, DELIVER_NMI);
    write(Register::LocalError, u32::from(ERROR));
    write(Register::Spurious, SOFTWARE_ENABLED | u32::from(SPURIOUS));
    write(Register::ErrorStatus, 0);
    end_of_interrupt();
}

/// This CPU's APIC id.
pub fn id() -> u32 {
    match access() {
        Access::Msr => read(Register::Id),
        Access::Memory(_) => read(Register::Id) >> 24,
    }
}

/// The handler is done: interrupts of the same or a lower priority may come again.
#[inline]
pub fn end_of_interrupt() {
    write(Register::EndOfInterrupt, 0);
}

static ERRORS: Counter = Counter::new(0);

/// The error interrupt: counts it, and makes the APIC ready for the next.
pub(crate) fn note_error() {
    write(Register::ErrorStatus, 0);
    ERRORS.increment();
    end_of_interrupt();
}

/// How often a local APIC of any CPU has complained.
pub fn errors() -> u64 {
    ERRORS.get()
}

/// Sends `command` (the low word of the interrupt command register) to one APIC; a shorthand in it overrules `to`.
pub(super) fn send(command: u32, to: u32) {
    match access() {
        Access::Msr => {
            // SAFETY: fences change nothing; a `wrmsr` to the x2APIC is not ordered after earlier stores by itself.
            unsafe { asm!("mfence", "lfence", options(nostack, preserves_flags)) };
            // SAFETY: the register exists in x2APIC mode; what may be sent is decided in `ipi`.
            unsafe { msr::write(msr_of(Register::Command), u64::from(to) << 32 | u64::from(command)) };
        }
        Access::Memory(_) => {
            let _both_words_at_once = IrqOff::new();
            while read(Register::Command) & COMMAND_PENDING != 0 {
                sync::cpu::relax();
            }
            write(Register::CommandDestination, to << 24);
            write(Register::Command, command);
        }
    }
}

/// Can interrupts be sent yet?
pub fn is_initialised() -> bool {
    ACCESS.get().is_some()
}

/// The APIC id of a CPU that is up.
pub(super) fn id_of(cpu: CpuId) -> Option<u32> {
    block::apic_id_of(cpu)
}
