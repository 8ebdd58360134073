//! The hardware half of an address space: its root table, which CPUs use it, and how often others had to forget.
//!
//! Invariant: a CPU that has `root` loaded is in `cpus`: it enters before it looks at the generation and loads, and
//! leaves after it has loaded another. Whoever takes rights away changes the table, then the generation, and then reads
//! `cpus`, each with a full barrier before the next: so a CPU that is missed there finds the new generation when it
//! enters, and forgets then what it remembers under its tag.
//!
//! A CPU that has `root` loaded and touches nothing in it for a while rests: it is told of tables that go, which it may walk, but
//! not of pages. It ends its rest before it looks at the generation, so the same holds.

use super::history::History;
use super::tags::Tags;
use core::ops::Range;
use machine::addr::{PAGE_SIZE, PhysAddr, VirtAddr};
use machine::paging::flush;
use sync::twin::{self, Twin};
use sync::{Counter, CpuLocal, CpuMask, CpuSet, IrqOff, MAXIMUM_CPUS, PerCpu, PreemptOff, Published, chaos, cpu};

pub struct Translation {
    /// No other has it, before or after.
    space: u64,
    root: PhysAddr,
    cpus: CpuMask,
    /// Those among them that touch nothing in it now.
    resting: CpuMask,
    generation: Published<u64>,
    history: History,
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
        let none = || CpuMask::new(CpuSet::EMPTY);
        Translation { space, root, cpus: none(), resting: none(), generation: Published::<u64>::new(1), history: History::new() }
    }

    pub const fn root(&self) -> PhysAddr {
        self.root
    }

    /// The CPUs that may remember something of it; ordered after everything written before.
    pub fn cpus(&self) -> CpuSet {
        chaos::point();
        self.cpus.load()
    }

    /// The tables were changed: who uses them must forget something, and who used them or rests does so when it comes back.
    /// Who rests is among those to be told only if tables go.
    pub fn change(&self, tables_go: bool) -> Change {
        let concerned = || if tables_go { self.cpus() } else { self.cpus().difference(self.resting.load()) };
        let early = if twin::is(Twin::GenerationAfterSet) { Some(concerned()) } else { None };
        let generation = self.generation.fetch_add(1) + 1;
        let cpus = early.unwrap_or_else(concerned);
        Change { space: self.space, generation, cpus }
    }

    /// This CPU uses it from now on. The one that it used before is left by `leave`, afterwards.
    pub fn enter(&self, _: &IrqOff) {
        let early = self.generation.load();
        // A full barrier: either a changer sees this CPU in the set, or this CPU sees the change and its generation.
        self.cpus.insert(cpu::current());
        chaos::point();
        let generation = if twin::is(Twin::ComparedBeforeEntering) { early } else { self.generation.load() };
        let beginning = TAGS.with_mut(&mut IrqOff::new(), |tags| tags.begin(self.space, generation));
        if !flush::has_tags() {
            return flush::load_root(self.root);
        }
        flush::load_tagged_root(self.root, beginning.tag, beginning.keeps);
        if beginning.caught_up {
            CATCH_UPS.of(cpu::current()).increment();
        }
    }

    /// This CPU, which uses it, touches nothing in it until `resume`.
    pub fn rest(&self, _: &PreemptOff) {
        self.resting.insert(cpu::current());
    }

    /// This CPU uses it again.
    pub fn resume(&self, _: &PreemptOff) {
        let mut irq = IrqOff::new();
        let early = self.generation.load();
        // A full barrier: either a changer sees that this CPU rests no more, or this CPU sees the change and its generation.
        self.resting.remove(cpu::current());
        chaos::point();
        let generation = if twin::is(Twin::ComparedBeforeResuming) { early } else { self.generation.load() };
        let known = TAGS.with_mut(&mut irq, |tags| tags.known(self.space)).unwrap_or(0);
        if known != generation {
            self.catch_up(known, generation);
            TAGS.with_mut(&mut irq, |tags| tags.forgot_all(self.space, generation));
            CATCH_UPS.of(cpu::current()).increment();
        }
    }

    fn catch_up(&self, known: u64, generation: u64) {
        match self.history.between(known, generation) {
            Some(ranges) => ranges.for_each(|range| range.step_by(PAGE_SIZE).for_each(|at| flush::page(VirtAddr::new(at)))),
            None => flush::all(),
        }
    }

    /// The change took away what is in `range`, and nothing else.
    pub fn note(&self, change: &Change, range: &Range<u64>) {
        self.history.note(change.generation, range);
    }

    /// This CPU has another root loaded now.
    pub fn leave(&self, _: &IrqOff) {
        chaos::point();
        self.cpus.remove(cpu::current());
    }
}

/// This CPU has forgotten what a change asked it to.
pub fn forgot(space: u64, generation: u64) {
    TAGS.with_mut(&mut IrqOff::new(), |tags| tags.forgot(space, generation));
}

/// This CPU uses the kernel's own root from now on.
pub fn use_none() {
    TAGS.with_mut(&mut IrqOff::new(), Tags::begin_none);
}
