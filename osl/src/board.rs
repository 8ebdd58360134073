//! What the machine tells Linux programs about itself, and how it is switched off.
//!
//! Invariant: the board is set once at boot, before the first program; without one (host tests) everything answers "unknown".

use alloc::string::String;

use sync::{CpuId, Once};

/// One processor as /proc/cpuinfo prints it.
#[derive(Clone, Debug, Default)]
pub struct Processor {
    /// For example `GenuineIntel`.
    pub vendor: String,
    /// For example `Intel(R) Xeon(R) CPU`.
    pub model_name: String,
    /// Family, as CPUID gives it with the extended part added.
    pub family: u32,
    /// Model, likewise.
    pub model: u32,
    /// Stepping.
    pub stepping: u32,
    /// Clock rate in kHz.
    pub kilohertz: u64,
    /// Cache size in KiB, 0 when unknown.
    pub cache_kilobytes: u32,
    /// The number of its local APIC.
    pub apic_id: u32,
    /// Linux's names of its features, separated by spaces.
    pub flags: String,
    /// Bits of a physical address.
    pub physical_bits: u32,
    /// Bits of a virtual address.
    pub virtual_bits: u32,
}

/// What `reboot` may ask for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PowerAction {
    /// Switch off.
    Off,
    /// Start again.
    Restart,
    /// Stop all CPUs, leave the power on.
    Halt,
}

/// The machine, as the binary that knows it describes it.
pub trait Board: Sync {
    /// One CPU that is up.
    fn processor(&self, cpu: CpuId) -> Processor;
    /// The kernel's command line.
    fn command_line(&self) -> &str;
    /// Does it; returns only when the machine cannot.
    fn power(&self, action: PowerAction);
}

static BOARD: Once<&'static dyn Board> = Once::new();

/// Names the machine; a second call changes nothing.
pub fn set(board: &'static dyn Board) {
    let _already_named = BOARD.set(board);
}

/// The machine, once it has been named.
pub fn get() -> Option<&'static dyn Board> {
    BOARD.get().copied()
}
