//! Knock at another CPU.
//!
//! Invariant: only CPUs that have come up are addressed; the start-up commands go to all others at once, because a CPU
//! that nobody expects parks itself.

use super::local::{self, CALL, KNOCK};
use sync::{CpuId, chaos};

const ASSERT: u32 = 1 << 14;
const NMI: u32 = 4 << 8;
const INIT: u32 = 5 << 8;
const START: u32 = 6 << 8;
const ALL_OTHERS: u32 = 3 << 18;

fn to_one(command: u32, cpu: CpuId) {
    if let Some(id) = local::id_of(cpu) {
        local::send(command | ASSERT, id);
    }
}

/// "Look at your run queue."
pub fn knock(cpu: CpuId) {
    often(u32::from(KNOCK), cpu);
}

/// "Look into your mailbox."
pub fn call(cpu: CpuId) {
    often(u32::from(CALL), cpu);
}

/// Whoever is called looks for what there is to do, so a call more does no harm: a shaken kernel sends some twice.
fn often(command: u32, cpu: CpuId) {
    chaos::point();
    to_one(command, cpu);
    if chaos::one_in(8) {
        chaos::point();
        to_one(command, cpu);
    }
}

/// Stops what `cpu` does, even with interrupts off.
pub fn nmi(cpu: CpuId) {
    to_one(NMI, cpu);
}

/// Stops what all other CPUs do, even with interrupts off. One by one: a CPU that was left out is parked without an IDT
/// and must not be woken. Does nothing before the local APIC is on.
pub fn nmi_all_others() {
    if local::is_initialised() {
        let own = sync::cpu::current();
        sync::cpu::online().iter().filter(|cpu| *cpu != own).for_each(nmi);
    }
}

/// All other CPUs go back to the state after power-on, waiting for `start_all_others`.
pub(crate) fn reset_all_others() {
    local::send(INIT | ASSERT | ALL_OTHERS, 0);
}

/// All other CPUs that wait for it begin in real mode at `page * 4096`.
pub(crate) fn start_all_others(page: u8) {
    local::send(START | ASSERT | ALL_OTHERS | u32::from(page), 0);
}
