//! What CPUs must forget of an address space, and telling them.
//!
//! Invariant: each CPU has one letter, which it fills and sends with preemption off and takes back when all addressees
//! have answered; so telling needs no memory. Whoever waits has interrupts on, holds no lock that is taken with
//! interrupts off, and answers the others' letters meanwhile. A CPU that waits, for this or for a lock, looks by itself and is
//! not interrupted.

use super::mailbox::Mailbox;
use super::translation::{self, CATCH_UPS, Change, Translation};
use arrayvec::ArrayVec;
use core::ops::Range;
use machine::addr::{PAGE_SIZE, VirtAddr};
use machine::apic::ipi;
use machine::paging::flush;
use sync::{Counter, CpuId, CpuMask, CpuSet, IrqContext, IrqOff, MAXIMUM_CPUS, PerCpu, PreemptOff, Published, cpu};

const PAGE: u64 = PAGE_SIZE as u64;
/// More pages than this, and a CPU forgets everything: that is cheaper.
const MOST_PAGES: u64 = 32;
const MOST_RANGES: usize = 16;

/// What CPUs must forget of one space: ranges of pages, or everything.
pub struct Stale {
    ranges: ArrayVec<Range<u64>, MOST_RANGES>,
    pages: u64,
    everything: bool,
    tables_go: bool,
}

impl Stale {
    pub const fn nothing() -> Self {
        Stale { ranges: ArrayVec::new_const(), pages: 0, everything: false, tables_go: false }
    }

    pub fn page(at: VirtAddr) -> Self {
        let mut stale = Self::nothing();
        stale.add(at);
        stale
    }

    pub const fn is_nothing(&self) -> bool {
        self.pages == 0
    }

    pub fn add(&mut self, at: VirtAddr) {
        let at = at.as_u64();
        self.pages += 1;
        match self.ranges.last_mut() {
            Some(last) if last.end == at => last.end += PAGE,
            _ => self.everything |= self.ranges.try_push(at..at + PAGE).is_err(),
        }
        self.everything |= self.pages > MOST_PAGES;
    }

    /// A table went: CPUs forget those with any page (SDM vol. 3, 5.10.4.1).
    pub fn add_table(&mut self) {
        self.tables_go = true;
        if self.is_nothing() {
            self.add(VirtAddr::new(0));
        }
    }

    /// All of it, if that is one range and few pages.
    fn only_range(&self) -> Option<&Range<u64>> {
        if self.everything || self.tables_go || self.ranges.len() != 1 { None } else { self.ranges.first() }
    }

    /// This CPU forgets.
    fn forget(&self, change: &Change, here: CpuId) {
        forget_here(self.everything, self.ranges.iter().cloned(), here);
        translation::forgot(change.space, change.generation);
    }
}

/// How often, since boot.
#[repr(align(64))]
struct Counts {
    /// This CPU had others forget, or itself.
    batches: Counter,
    /// Interrupts that it sent for that.
    knocks_sent: Counter,
    /// Letters of others that it answered, knocked at or not.
    letters_answered: Counter,
    pages_forgotten: Counter,
    everything_forgotten: Counter,
    /// CPUs that it left alone, because they did not use the space.
    cpus_skipped: Counter,
}

impl Counts {
    const fn new() -> Self {
        Counts {
            batches: Counter::new(0),
            knocks_sent: Counter::new(0),
            letters_answered: Counter::new(0),
            pages_forgotten: Counter::new(0),
            everything_forgotten: Counter::new(0),
            cpus_skipped: Counter::new(0),
        }
    }
}

static COUNTS: PerCpu<Counts> = PerCpu::new([const { Counts::new() }; MAXIMUM_CPUS]);

/// What is counted, by name.
pub const COUNTED: [&str; 7] =
    ["batches", "knocks sent", "letters answered", "pages forgotten", "everything forgotten", "CPUs skipped", "caught up on return"];

/// What a CPU has counted, in the same order.
pub fn counts(of: CpuId) -> [u64; COUNTED.len()] {
    let Counts { batches, knocks_sent, letters_answered, pages_forgotten, everything_forgotten, cpus_skipped } = COUNTS.of(of);
    let catch_ups = CATCH_UPS.of(of);
    [batches, knocks_sent, letters_answered, pages_forgotten, everything_forgotten, cpus_skipped, catch_ups].map(Counter::get)
}

/// What one CPU asks others to forget. Its words change only while nobody is in `unanswered`.
#[repr(align(64))]
struct Letter {
    unanswered: CpuMask,
    space: Published<u64>,
    generation: Published<u64>,
    /// How many ranges; `EVERYTHING` for all.
    count: Published<usize>,
    starts: [Published<u64>; MOST_RANGES],
    ends: [Published<u64>; MOST_RANGES],
}

const EVERYTHING: usize = usize::MAX;

impl Letter {
    const fn new() -> Self {
        Letter {
            unanswered: CpuMask::new(CpuSet::EMPTY),
            space: Published::<u64>::new(0),
            generation: Published::<u64>::new(0),
            count: Published::<usize>::new(0),
            starts: [const { Published::<u64>::new(0) }; MOST_RANGES],
            ends: [const { Published::<u64>::new(0) }; MOST_RANGES],
        }
    }

    fn write(&self, stale: &Stale, change: &Change) {
        self.space.store(change.space);
        self.generation.store(change.generation);
        for (index, range) in stale.ranges.iter().enumerate() {
            self.starts[index].store(range.start);
            self.ends[index].store(range.end);
        }
        self.count.store(if stale.everything { EVERYTHING } else { stale.ranges.len() });
    }

    /// If the CPU uses another space by now, it forgets of that one, and catches up when it comes back.
    fn obey(&self, here: CpuId) {
        let count = self.count.load();
        let ranges = self.starts.iter().zip(&self.ends).take(count).map(|(start, end)| start.load()..end.load());
        forget_here(count == EVERYTHING, ranges, here);
        translation::forgot(self.space.load(), self.generation.load());
    }
}

static LETTERS: PerCpu<Letter> = PerCpu::new([const { Letter::new() }; MAXIMUM_CPUS]);
static MAILBOXES: PerCpu<Mailbox> = PerCpu::new([const { Mailbox::new() }; MAXIMUM_CPUS]);

/// Every CPU that may remember it forgets; returns when all have. No interrupt to CPUs that do not use the space: these
/// load the tables anew when they begin to.
pub fn forget_everywhere(translation: &Translation, stale: &Stale) {
    debug_assert!(cpu::interrupts_are_on(), "CPUs are told with interrupts off: two that tell each other would wait for ever");
    let stay = PreemptOff::new();
    let here = cpu::current();
    let change = translation.change(stale.tables_go);
    if let Some(range) = stale.only_range() {
        translation.note(&change, range);
    }
    let others = change.cpus.without(here);
    if !others.is_empty() {
        send(others, stale, &change, here);
    }
    if change.cpus.contains(here) {
        stale.forget(&change, here);
    }
    let counts = COUNTS.of(here);
    counts.batches.increment();
    counts.cpus_skipped.add(u64::from(cpu::online().bits().count_ones().saturating_sub(change.cpus.bits().count_ones())));
    if !LETTERS.of(here).unanswered.load().is_empty() {
        let listener = Listener::staying(stay, None);
        while !LETTERS.of(here).unanswered.load().is_empty() {
            cpu::relax();
            listener.look();
        }
    }
}

fn send(others: CpuSet, stale: &Stale, change: &Change, here: CpuId) {
    let letter = LETTERS.of(here);
    letter.write(stale, change);
    for other in others {
        letter.unanswered.insert(other);
        if MAILBOXES.of(other).post(here) {
            ipi::call(other);
            COUNTS.of(here).knocks_sent.increment();
        }
    }
}

/// Another CPU called: forgets what it asks, if that is what it called for.
pub fn called(_: &IrqContext) {
    MAILBOXES.of(cpu::current()).look(answer);
}

/// The writer has been taken out of the mailbox before: once it is answered, it may write the next letter.
fn answer(sender: CpuId) {
    let here = cpu::current();
    let letter = LETTERS.of(sender);
    letter.obey(here);
    letter.unanswered.remove(here);
    COUNTS.of(here).letters_answered.increment();
}

/// This CPU waits for something, stays here, and answers letters meanwhile without an interrupt. In the space that it was given it
/// touches nothing.
pub struct Listener<'a> {
    here: CpuId,
    rests_in: Option<&'a Translation>,
    stays: PreemptOff,
}

impl<'a> Listener<'a> {
    /// The space is the one that this CPU uses, if it uses one.
    pub fn resting_in(space: Option<&'a Translation>) -> Self {
        Self::staying(PreemptOff::new(), space)
    }

    fn staying(stays: PreemptOff, rests_in: Option<&'a Translation>) -> Self {
        let here = cpu::current();
        MAILBOXES.of(here).listen();
        if let Some(space) = rests_in {
            space.rest(&stays);
        }
        Listener { here, rests_in, stays }
    }

    /// To be called again and again.
    pub fn look(&self) {
        let mailbox = MAILBOXES.of(self.here);
        if mailbox.has_mail() {
            let _no_call_comes_between = IrqOff::new();
            mailbox.look(answer);
        }
    }
}

impl Drop for Listener<'_> {
    fn drop(&mut self) {
        if let Some(space) = self.rests_in {
            space.resume(&self.stays);
        }
        let _no_call_comes_between = IrqOff::new();
        MAILBOXES.of(self.here).stop(answer);
    }
}

fn forget_here(everything: bool, ranges: impl Iterator<Item = Range<u64>>, here: CpuId) {
    let counts = COUNTS.of(here);
    if everything {
        counts.everything_forgotten.increment();
        return flush::all();
    }
    for range in ranges {
        counts.pages_forgotten.add((range.end - range.start) / PAGE);
        range.step_by(PAGE_SIZE).for_each(|at| flush::page(VirtAddr::new(at)));
    }
}
