//! Signs of life of a CPU: does it take interrupts, and would it change threads if it were asked?
//!
//! Invariant: nothing is counted for this on hot paths. Whoever doubts a CPU prods it: a knock whose handler looks whether what
//! it interrupted could give way, and wishes for that; a wish that is still there at the next prod was not heard in between.

use super::queues::{CPUS, IDLE};
use crate::interrupt;
use machine::apic::ipi;
use sync::{Counter, CpuId, Flag, cpu};

/// What a CPU's handlers found when it was prodded.
pub(super) struct Answers {
    prodded: Flag,
    /// Thread changes as of the last prod.
    switches: Counter,
    /// How many prods in a row found the same thread, with preemption off, and the wish unheard.
    deaf: Counter,
}

impl Answers {
    sync::const_unless_loom! {
        pub(super) const fn new() -> Self {
            Answers { prodded: Flag::new(false), switches: Counter::new(0), deaf: Counter::new(0) }
        }
    }
}

/// One look at a CPU.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Pulse {
    pub(crate) interrupts: u64,
    pub(crate) switches: u64,
    /// Halted, with nothing asked of it.
    pub(crate) rests: bool,
    pub(crate) deaf: u64,
}

pub(crate) fn of(target: CpuId) -> Pulse {
    let target_cpu = CPUS.of(target);
    Pulse {
        interrupts: interrupt::count_on(target),
        switches: target_cpu.switches.get(),
        rests: IDLE.peek().contains(target) && !target_cpu.is_knocked(),
        deaf: target_cpu.answers.deaf.get(),
    }
}

/// Makes a CPU answer, if it takes interrupts at all.
pub(crate) fn prod(target: CpuId) {
    CPUS.of(target).answers.prodded.set();
    ipi::knock(target);
}

/// In the handler of a knock, before it holds anything.
pub(super) fn answer() {
    let answers = &CPUS.of(cpu::current()).answers;
    if answers.prodded.is_set() {
        answers.prodded.clear();
        sample();
    }
}

/// The same for a handler that doubts its own CPU.
pub(crate) fn sample() {
    let mine = CPUS.of(cpu::current());
    // Interrupted, so its interrupts were on: only this may keep it from giving way.
    let could_give_way = cpu::preemption_off_depth() == 0;
    let switches = mine.switches.get();
    let stayed = mine.answers.switches.get() == switches;
    mine.answers.switches.set(switches);
    let deaf = !could_give_way && stayed && cpu::need_reschedule();
    mine.answers.deaf.set(if deaf { mine.answers.deaf.get() + 1 } else { 0 });
    cpu::set_need_reschedule();
}
