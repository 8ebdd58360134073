//! The hardware half of an address space: its root table, and which CPUs use it.
//!
//! Invariant: a CPU that has `root` loaded is in `cpus`: it enters before it loads and leaves after it has loaded
//! another. So whoever changes a table and then reads `cpus` misses only CPUs that will see the change.

use machine::addr::PhysAddr;
use machine::paging::flush;
use sync::{Counter, CpuMask, CpuSet, IrqOff, chaos};

pub struct Translation {
    root: PhysAddr,
    cpus: CpuMask,
    generation: Counter,
}

impl Translation {
    pub const fn new(root: PhysAddr) -> Self {
        Translation { root, cpus: CpuMask::new(CpuSet::EMPTY), generation: Counter::new(0) }
    }

    pub const fn root(&self) -> PhysAddr {
        self.root
    }

    /// The CPUs that may remember something of it; ordered after everything written before.
    pub fn cpus(&self) -> CpuSet {
        chaos::point();
        self.cpus.load()
    }

    /// How often its tables were changed so that others had to be told.
    pub fn generation(&self) -> u64 {
        self.generation.get()
    }

    /// Counts a change; returns the new generation.
    pub fn advance_generation(&self) -> u64 {
        self.generation.increment() + 1
    }

    /// This CPU uses it from now on. The one that it used before is left by `leave`, afterwards.
    pub fn enter(&self, _: &IrqOff) {
        // A full barrier: either a changer sees this CPU in the set, or this CPU's walks see the change.
        self.cpus.insert(sync::cpu::current());
        chaos::point();
        flush::load_root(self.root);
    }

    /// This CPU has another root loaded now.
    pub fn leave(&self, _: &IrqOff) {
        chaos::point();
        self.cpus.remove(sync::cpu::current());
    }
}
