//! Wakes the other CPUs, all at once.
//!
//! Invariant: a CPU that comes finds itself in the table of those expected, or parks itself. Each is claimed once: by
//! itself when it comes, or by the boot CPU when it gives it up; so one that comes late is never entered.

use super::info::BootInfo;
use super::low_code;
use crate::apic::{calibrate, ipi, local};
use crate::clock::tsc;
use crate::cpu::gdt::{self, CpuStacks};
use crate::cpu::{block, features};
use arrayvec::ArrayVec;
use core::cell::UnsafeCell;
use sync::{CpuId, MAXIMUM_CPUS, Published};

const AFTER_RESET_US: u64 = 10_000;
const AFTER_START_US: u64 = 200;
/// How long a CPU may take to come. Generous: a virtual CPU waits for its turn on the host.
const PATIENCE_US: u64 = 2_000_000;

/// Who came, and who did not.
#[derive(Clone, Debug, Default)]
pub struct Arrivals {
    /// CPUs that are online, this one included.
    pub online: usize,
    /// APIC ids of those that were called and never came.
    pub missing: ArrayVec<u32, MAXIMUM_CPUS>,
    /// CPUs that were not called: more than `MAXIMUM_CPUS`, or no memory for their stacks.
    pub left_out: usize,
}

/// Read by `start_cpu.s`.
#[repr(C)]
struct Expected {
    apic_id: u32,
    cpu: u32,
    stack: u64,
}

#[repr(C)]
struct ExpectedCpus {
    count: u64,
    root: u64,
    entries: [Expected; MAXIMUM_CPUS],
}

#[repr(transparent)]
struct Table(UnsafeCell<ExpectedCpus>);

// SAFETY: written by the boot CPU before the others are started, read by them afterwards.
unsafe impl Sync for Table {}

#[unsafe(export_name = "machine_expected_cpus")]
static EXPECTED: Table = Table(UnsafeCell::new(ExpectedCpus {
    count: 0,
    root: 0,
    entries: [const { Expected { apic_id: 0, cpu: 0, stack: 0 } }; MAXIMUM_CPUS],
}));

const AWAITED: u32 = 0;
const COME: u32 = 1;
const GIVEN_UP: u32 = 2;
static CLAIMS: [Published<u32>; MAXIMUM_CPUS] = [const { Published::<u32>::new(AWAITED) }; MAXIMUM_CPUS];

/// A CPU that has come takes its place. False when it has been given up meanwhile, and must park itself.
pub(super) fn claim(cpu: CpuId) -> bool {
    CLAIMS[cpu.index()].compare_exchange(AWAITED, COME).is_ok()
}

/// Starts all CPUs in `apic_ids` but this one, each on stacks that `stacks` finds for it, and waits until they are
/// online in `kernel_cpu_main`. Establishes the time-stamp counter's frequency and calibrates this CPU's timer on the
/// way, so it is called when there is only one CPU too.
///
/// Called once, by the boot CPU, interrupts off, with the kernel's own page tables loaded and the local APIC on.
pub fn start_cpus(info: &BootInfo, apic_ids: &[u32], stacks: &mut dyn FnMut(CpuId) -> Option<CpuStacks>) -> Arrivals {
    let own = local::id();
    let others = || apic_ids.iter().copied().filter(|id| *id != own);
    let mut called = ArrayVec::<(u32, CpuId), MAXIMUM_CPUS>::new();
    for (apic_id, index) in others().zip(1..MAXIMUM_CPUS) {
        let cpu = CpuId::new(index);
        let Some(stacks) = stacks(cpu) else { break };
        expect(cpu, apic_id, &stacks);
        called.push((apic_id, cpu));
    }
    let left_out = others().count() - called.len();
    match info.low_page {
        Some(page) if !called.is_empty() => wake(page, &called),
        _ => {
            tsc::establish();
            calibrate::this_cpu();
        }
    }
    let missing = called.iter().filter(|(_, cpu)| !sync::cpu::online().contains(*cpu)).map(|(id, _)| *id).collect();
    Arrivals { online: sync::cpu::online().count(), missing, left_out }
}

/// Makes everything ready that `cpu` will find when it comes.
fn expect(cpu: CpuId, apic_id: u32, stacks: &CpuStacks) {
    block::prepare(cpu, apic_id);
    // SAFETY: the CPU does not run yet; the boot CPU is the only one that prepares.
    unsafe {
        gdt::prepare(cpu, stacks);
        let table = &mut *EXPECTED.0.get();
        table.entries[table.count as usize] = Expected { apic_id, cpu: cpu.index() as u32, stack: stacks.kernel };
        table.root = crate::paging::flush::current_root().as_u64();
        table.count += 1;
    }
}

/// INIT, SIPI, and a second SIPI for those that slept through the first (SDM vol. 3, 9.4.4).
fn wake(page: u8, called: &[(u32, CpuId)]) {
    low_code::place(page);
    ipi::reset_all_others();
    let waited = tsc::establish();
    if !waited && !features::get().hypervisor {
        tsc::wait_microseconds(AFTER_RESET_US);
    }
    let started = tsc::now();
    let microseconds = |count: u64| tsc::from_nanoseconds(count * 1000);
    ipi::start_all_others(page);
    calibrate::this_cpu();
    let all_came = || called.iter().all(|(_, cpu)| CLAIMS[cpu.index()].load() == COME);
    wait_until(started.saturating_add(microseconds(AFTER_START_US)), all_came);
    if !all_came() {
        ipi::start_all_others(page);
    }
    let deadline = started.saturating_add(microseconds(PATIENCE_US));
    wait_until(deadline, all_came);
    for (_, cpu) in called {
        if CLAIMS[cpu.index()].compare_exchange(AWAITED, GIVEN_UP).is_ok() {
            block::forget(*cpu);
        }
    }
    let is_settled = |cpu: CpuId| CLAIMS[cpu.index()].load() == GIVEN_UP || sync::cpu::online().contains(cpu);
    wait_until(deadline.saturating_add(microseconds(PATIENCE_US)), || called.iter().all(|(_, cpu)| is_settled(*cpu)));
}

fn wait_until(deadline: u64, done: impl Fn() -> bool) {
    while !done() && tsc::now() < deadline {
        tsc::take_part_in_check();
        sync::cpu::relax();
    }
}
