//! The hardware half of an address space: its root table, which CPUs use it, and how often others had to forget.
//!
//! Invariant: a CPU that has `root` loaded is in `cpus`: it enters before it looks at the generation and loads, and
//! leaves after it has loaded another. Whoever takes rights away changes the table, then the generation, and then reads
//! `cpus`, each with a full barrier before the next: so a CPU that is missed there finds the new generation when it
//! enters, and forgets then what it remembers under its tag.

use super::tags::Tags;
use machine::addr::PhysAddr;
use machine::paging::flush;
use sync::twin::{self, Twin};
use sync::{Counter, CpuLocal, CpuMask, CpuSet, IrqOff, MAXIMUM_CPUS, PerCpu, Published, chaos, cpu};

pub struct Translation {
    /// No other has it, before or after.
    space: u64,
    root: PhysAddr,
    cpus: CpuMask,
    generation: Published<u64>,
}

sync::shared_static! {
    static SPACES: Published<u64> = Published::<u64>::new(0);
}

sync::shared_per_cpu! {
    static TAGS: CpuLocal<Tags> = Tags::new();
}

/// How often each CPU came back to a space and had to forget what it remembered of it.
pub static CATCH_UPS: PerCpu<Counter> = PerCpu::new([const { Counter::new(0) }; MAXIMUM_CPUS]);

/// A change of a space's tables that CPUs are to be told of.
#[derive(Clone, Copy, Debug)]
pub struct Change {
    pub space: u64,
    /// With it, the tables have this one.
    pub generation: u64,
    /// Those that may remember what was before.
    pub cpus: CpuSet,
}

impl Translation {
    pub fn new(root: PhysAddr) -> Self {
        let space = SPACES.fetch_add(1) + 1;
        Translation { space, root, cpus: CpuMask::new(CpuSet::EMPTY), generation: Published::<u64>::new(1) }
    }

    pub const fn root(&self) -> PhysAddr {
        self.root
    }

    /// The CPUs that may remember something of it; ordered after everything written before.
    pub fn cpus(&self) -> CpuSet {
        chaos::point();
        self.cpus.load()
    }

    /// The tables were changed: who uses them must forget something, and who used them does so when it comes back.
    pub fn change(&self) -> Change {
        let early = if twin::is(Twin::GenerationAfterSet) { Some(self.cpus()) } else { None };
        let generation = self.generation.fetch_add(1) + 1;
        let cpus = early.unwrap_or_else(|| self.cpus());
        Change { space: self.space, generation, cpus }
    }

    /// This CPU uses it from now on. The one that it used before is left by `leave`, afterwards.
    pub fn enter(&self, _: &IrqOff) {
        let early = self.generation.load();
        // A full barrier: either a changer sees this CPU in the set, or this CPU sees the change and its generation.
        self.cpus.insert(cpu::current());
        chaos::point();
        if !flush::has_tags() {
            return flush::load_root(self.root);
        }
        let generation = if twin::is(Twin::ComparedBeforeEntering) { early } else { self.generation.load() };
        let beginning = TAGS.with_mut(&mut IrqOff::new(), |tags| tags.begin(self.space, generation));
        flush::load_tagged_root(self.root, beginning.tag, beginning.keeps);
        if beginning.caught_up {
            CATCH_UPS.of(cpu::current()).increment();
        }
    }

    /// This CPU has another root loaded now.
    pub fn leave(&self, _: &IrqOff) {
        chaos::point();
        self.cpus.remove(cpu::current());
    }
}

/// This CPU has forgotten what a change asked it to.
pub fn forgot(space: u64, generation: u64) {
    if flush::has_tags() {
        TAGS.with_mut(&mut IrqOff::new(), |tags| tags.forgot(space, generation));
    }
}

/// This CPU uses the kernel's own root from now on.
pub fn use_none() {
    if flush::has_tags() {
        TAGS.with_mut(&mut IrqOff::new(), Tags::begin_none);
    }
}
