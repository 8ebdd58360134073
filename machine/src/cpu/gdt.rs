//! GDT, TSS and IST stacks, one set per CPU.
//!
//! Invariant: a CPU's tables are written before it loads them, and afterwards only by that CPU (`ring0_stack`).
//! Selectors are Linux's, because programs and debuggers compare them.

use core::arch::asm;
use core::cell::UnsafeCell;
use core::mem::size_of;
use sync::{CpuId, MAXIMUM_CPUS};

pub const KERNEL_CODE: u16 = 0x10;
pub const KERNEL_DATA: u16 = 0x18;
/// What `sysret` counts from: +8 is user data, +16 is 64-bit user code.
pub const SYSRET_BASE: u16 = 0x23;
pub const USER_DATA: u16 = 0x2b;
pub const USER_CODE: u16 = 0x33;
const TASK_STATE: u16 = 0x40;
/// A data segment that nobody loads: its limit says the CPU's number to programs that ask by `lsl` (user/vdso.s).
pub const CPU_NUMBER: u16 = 0x7b;

/// IST numbers, as an IDT entry holds them.
pub const IST_DOUBLE_FAULT: u8 = 1;
pub const IST_NMI: u8 = 2;
pub const IST_MACHINE_CHECK: u8 = 3;

/// Tops of a CPU's stacks (16-byte aligned). At least 16 KiB each, so that a report with a backtrace fits.
#[derive(Clone, Copy)]
pub struct CpuStacks {
    /// The stack that `kernel_cpu_main` runs on.
    pub kernel: u64,
    pub double_fault: u64,
    pub nmi: u64,
    pub machine_check: u64,
}

/// The task state segment (SDM vol. 3, 8.7). 64-bit fields lie at odd multiples of four, hence words of 32 bits.
#[repr(C, align(8))]
struct TaskState {
    words: [u32; 26],
}

const RING0_STACK: usize = 1;
const IST: usize = 9;
const IO_MAP: usize = 25;

impl TaskState {
    const fn new() -> Self {
        let mut words = [0; 26];
        // No I/O permission map: its offset lies beyond the segment's limit.
        words[IO_MAP] = (size_of::<TaskState>() as u32) << 16;
        TaskState { words }
    }

    fn set(&mut self, word: usize, value: u64) {
        self.words[word] = value as u32;
        self.words[word + 1] = (value >> 32) as u32;
    }

    fn set_ist(&mut self, number: u8, top: u64) {
        self.set(IST + 2 * (usize::from(number) - 1), top);
    }
}

const DESCRIPTORS: usize = 16;

#[repr(C, align(64))]
struct Tables {
    descriptors: [u64; DESCRIPTORS],
    task_state: TaskState,
}

#[repr(transparent)]
struct OwnTables(UnsafeCell<Tables>);

// SAFETY: written by the boot CPU before the owner starts (`prepare`), then by the owner alone.
unsafe impl Sync for OwnTables {}

const EMPTY: Tables = Tables { descriptors: [0; DESCRIPTORS], task_state: TaskState::new() };
static TABLES: [OwnTables; MAXIMUM_CPUS] = [const { OwnTables(UnsafeCell::new(EMPTY)) }; MAXIMUM_CPUS];

const PRESENT: u64 = 1 << 47;
const SEGMENT: u64 = 1 << 44;
const EXECUTABLE: u64 = 1 << 43;
const WRITABLE_OR_READABLE: u64 = 1 << 41;
const ACCESSED: u64 = 1 << 40;
const LONG: u64 = 1 << 53;
const RING_3: u64 = 3 << 45;
const AVAILABLE_TASK_STATE: u64 = 0b1001 << 40;

const DATA: u64 = PRESENT | SEGMENT | WRITABLE_OR_READABLE | ACCESSED;
const CODE: u64 = DATA | EXECUTABLE | LONG;

/// The two words of a descriptor for the task state segment at `base`.
const fn task_state_descriptor(base: u64) -> [u64; 2] {
    let limit = (size_of::<TaskState>() - 1) as u64;
    let low = limit | (base & 0xff_ffff) << 16 | AVAILABLE_TASK_STATE | PRESENT | (base >> 24 & 0xff) << 56;
    [low, base >> 32]
}

/// The descriptor of the segment that is as long as the CPU's number.
const fn cpu_number_descriptor(cpu: usize) -> u64 {
    (PRESENT | SEGMENT | ACCESSED | RING_3) | cpu as u64 & 0xfff
}

fn fill(tables: &mut Tables, cpu: CpuId, task_state_at: u64, stacks: &CpuStacks) {
    tables.descriptors = [0; DESCRIPTORS];
    tables.descriptors[usize::from(CPU_NUMBER / 8)] = cpu_number_descriptor(cpu.index());
    tables.descriptors[usize::from(KERNEL_CODE / 8)] = CODE;
    tables.descriptors[usize::from(KERNEL_DATA / 8)] = DATA;
    tables.descriptors[usize::from(USER_DATA / 8)] = DATA | RING_3;
    tables.descriptors[usize::from(USER_CODE / 8)] = CODE | RING_3;
    let at = usize::from(TASK_STATE / 8);
    tables.descriptors[at..at + 2].copy_from_slice(&task_state_descriptor(task_state_at));
    tables.task_state = TaskState::new();
    tables.task_state.set(RING0_STACK, stacks.kernel);
    tables.task_state.set_ist(IST_DOUBLE_FAULT, stacks.double_fault);
    tables.task_state.set_ist(IST_NMI, stacks.nmi);
    tables.task_state.set_ist(IST_MACHINE_CHECK, stacks.machine_check);
}

/// Writes the tables of a CPU that does not run yet (the boot CPU: that has not loaded them yet).
///
/// # Safety
/// `cpu` does not use its tables now, nobody else prepares them, and the stacks are its own.
pub(crate) unsafe fn prepare(cpu: CpuId, stacks: &CpuStacks) {
    let tables = TABLES[cpu.index()].0.get();
    // SAFETY: the caller's promise: nobody else reads or writes these tables now.
    unsafe {
        let task_state_at = &raw const (*tables).task_state as u64;
        fill(&mut *tables, cpu, task_state_at, stacks);
    }
}

/// Loads this CPU's own tables, prepared before, and all segment registers but GS, whose base must survive.
///
/// # Safety
/// `prepare` was called for this CPU, and it has not loaded them yet.
pub(crate) unsafe fn load(cpu: CpuId) {
    let tables = TABLES[cpu.index()].0.get();
    let pointer = TablePointer::new(tables as u64, size_of::<[u64; DESCRIPTORS]>());
    // SAFETY: the tables live for ever and hold the selectors that are loaded here.
    unsafe {
        asm!(
            "lgdt [{pointer}]",
            "push {code}", "lea {scratch}, [rip + 2f]", "push {scratch}", "retfq", "2:",
            "mov ss, {data:e}", "mov ds, {data:e}", "mov es, {data:e}",
            "xor {data:e}, {data:e}", "mov fs, {data:e}",
            "ltr {task:x}",
            pointer = in(reg) &pointer, code = const KERNEL_CODE, scratch = out(reg) _,
            data = inout(reg) u64::from(KERNEL_DATA) => _, task = in(reg) TASK_STATE,
        );
    }
}

/// RSP after a trap from ring 3 on this CPU. Interrupts are off.
pub(crate) fn set_ring0_stack(top: u64) {
    let tables = TABLES[sync::cpu::current().index()].0.get();
    // SAFETY: the owner writes, with interrupts off; the CPU reads it only on a trap from ring 3.
    unsafe { (*tables).task_state.set(RING0_STACK, top) };
}

/// What `lgdt` and `lidt` take.
#[repr(C, packed)]
pub(crate) struct TablePointer {
    limit: u16,
    base: u64,
}

impl TablePointer {
    pub(crate) const fn new(base: u64, bytes: usize) -> Self {
        TablePointer { limit: (bytes - 1) as u16, base }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn descriptors_are_the_manuals_bits() {
        assert_eq!(CODE, 0x0020_9b00_0000_0000);
        assert_eq!(DATA, 0x0000_9300_0000_0000);
        assert_eq!(CODE | RING_3, 0x0020_fb00_0000_0000);
        assert_eq!(task_state_descriptor(0xffff_8000_1234_5678), [0x1200_8934_5678_0067, 0xffff_8000]);
    }

    #[test]
    fn sysret_and_the_selectors_agree() {
        assert_eq!((SYSRET_BASE + 8, SYSRET_BASE + 16), (USER_DATA, USER_CODE));
        assert_eq!(KERNEL_CODE + 8, KERNEL_DATA);
    }

    #[test]
    fn each_stack_lands_in_its_own_field_of_the_task_state() {
        let mut tables = EMPTY;
        let stacks = CpuStacks { kernel: 0x1_0000_0010, double_fault: 0x20, nmi: 0x30, machine_check: 0x40 };
        fill(&mut tables, CpuId::new(5), 0, &stacks);
        let words = tables.task_state.words;
        assert_eq!((words[1], words[2]), (0x10, 1));
        assert_eq!((words[9], words[11], words[13]), (0x20, 0x30, 0x40));
        assert_eq!(words[25] >> 16, 104);
        assert_eq!(tables.descriptors[15] & 0xf_0000_0000_ffff, 5);
    }
}
