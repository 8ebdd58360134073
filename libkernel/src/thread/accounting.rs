//! Who used how much CPU time: how much, by time stamps at every change of threads; in ring 3 or in the kernel, by samples.
//!
//! Invariant: a CPU's ledger is written by that CPU alone, with interrupts off; `since` is `WRITING` meanwhile, so a
//! reader on another CPU can tell that it saw a half-written entry, and looks again. The ledger itself says whose time
//! is running: a thread's seat changes a moment before or after, and what is read must never go back. All is counted in
//! ticks of the time-stamp counter, which only readers turn into nanoseconds.
//!
//! A thread's time goes to the column in which the last sample found it: so system calls and faults read no clock, and each
//! column gets its share in the long run. A sample that finds another column changes what comes, not what was told already.

use super::current;
use super::thread::Thread;
use crate::alarm::{self, Slot};
use crate::clock;
use machine::clock::tsc;
use sync::{Counter, CpuId, Flag, IrqContext, IrqOff, MAXIMUM_CPUS, PerCpu, Published, fence_full};

/// How far samples are apart, on a CPU that is not idle.
const SAMPLE_EVERY_NS: u64 = 4_000_000;

/// What a CPU is doing.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u8)]
pub enum Mode {
    User = 0,
    System = 1,
    Idle = 2,
}

#[derive(Clone, Copy, Default, PartialEq, Eq, Debug)]
pub struct Times {
    pub user_ns: u64,
    pub system_ns: u64,
}

#[derive(Clone, Copy, Default, PartialEq, Eq, Debug)]
pub struct CpuTimes {
    pub user_ns: u64,
    pub system_ns: u64,
    pub idle_ns: u64,
}

/// One thread's account.
pub(crate) struct Account {
    /// The last sample found it in the kernel.
    in_kernel: Flag,
    user_ticks: Counter,
    system_ticks: Counter,
    pub(crate) voluntary_switches: Counter,
    pub(crate) involuntary_switches: Counter,
    /// Page faults of its program that were settled.
    pub(crate) faults: Counter,
}

impl Account {
    /// Of a thread with a program, or of one of the kernel's own.
    pub(crate) const fn new(has_program: bool) -> Self {
        Account {
            in_kernel: Flag::new(!has_program),
            user_ticks: Counter::new(0),
            system_ticks: Counter::new(0),
            voluntary_switches: Counter::new(0),
            involuntary_switches: Counter::new(0),
            faults: Counter::new(0),
        }
    }
}

impl Account {
    fn found(&self, in_kernel: bool) {
        if in_kernel { self.in_kernel.set() } else { self.in_kernel.clear() }
    }

    fn mode(&self) -> Mode {
        if self.in_kernel.is_set() { Mode::System } else { Mode::User }
    }
}

/// A ledger's `since` while it is written; 0 before it is begun.
const WRITING: u64 = u64::MAX;
/// No thread has this number.
const NOBODY: u64 = 0;

struct Ledger {
    since: Published<u64>,
    mode: Published<u8>,
    /// The number of the thread that is charged next.
    runs: Published<u64>,
    spent: [Counter; 3],
    is_sample_due: Flag,
}

static LEDGERS: PerCpu<Ledger> = PerCpu::new(
    [const {
        Ledger {
            since: Published::<u64>::new(0),
            mode: Published::<u8>::new(Mode::System as u8),
            runs: Published::<u64>::new(NOBODY),
            spent: [const { Counter::new(0) }; 3],
            is_sample_due: Flag::new(false),
        }
    }; MAXIMUM_CPUS],
);

/// Charges what has passed to `thread` and to this CPU; from now on it is in `next` mode, for the thread `runs`.
fn turn(thread: Option<&Thread>, next: Mode, runs: u64, irq: &IrqOff) {
    let ledger = LEDGERS.mine(irq);
    let since = ledger.since.swap(WRITING);
    // Always another than before: whoever looks twice at `since` would not see a turn within one tick.
    let now = tsc::now().max(since.wrapping_add(1));
    let passed = if since == 0 { 0 } else { now - since };
    let mode = ledger.mode.load();
    ledger.spent[usize::from(mode)].add(passed);
    if let Some(thread) = thread {
        let account = if mode == Mode::User as u8 { &thread.account.user_ticks } else { &thread.account.system_ticks };
        account.add(passed);
    }
    ledger.mode.store(next as u8);
    ledger.runs.store(runs);
    ledger.since.store(now);
}

/// This CPU goes from one thread to another.
pub(crate) fn switch(from: &Thread, to: &Thread, irq: &IrqOff) {
    turn(Some(from), if to.is_idle() { Mode::Idle } else { to.account.mode() }, to.id(), irq);
}

/// Called once, at boot, before there are programs.
pub(crate) fn initialise() {
    alarm::set_called(Slot::Sample, |_: &IrqContext| LEDGERS.mine(&IrqOff::new()).is_sample_due.set());
}

/// This CPU is not idle any more: it is sampled until it is again.
pub(crate) fn begin_samples(irq: &mut IrqOff) {
    alarm::bring_forward(Slot::Sample, clock::now() + SAMPLE_EVERY_NS, irq);
}

/// An interrupt was handled that came out of ring 3, or out of the kernel: takes a sample, if one is due.
pub(crate) fn sample_if_due(was_in_kernel: bool) {
    let mut irq = IrqOff::new();
    let ledger = LEDGERS.mine(&irq);
    if !ledger.is_sample_due.is_set() {
        return;
    }
    ledger.is_sample_due.clear();
    let Some(thread) = current::on_this_cpu(&irq).filter(|thread| !thread.is_idle()) else { return };
    sample(thread, was_in_kernel, &irq);
    begin_samples(&mut irq);
}

fn sample(thread: &Thread, was_in_kernel: bool, irq: &IrqOff) {
    thread.account.found(was_in_kernel);
    turn(Some(thread), thread.account.mode(), thread.id(), irq);
}

/// This CPU begins its ledger, in the idle thread.
pub(crate) fn begin(irq: &IrqOff) {
    turn(None, Mode::Idle, NOBODY, irq);
}

/// The stretch that is running on a CPU.
struct Stretch {
    mode: u8,
    runs: u64,
    ticks: u64,
}

impl Ledger {
    /// What `read` gives, and the running stretch; the two belong together.
    fn consistent<R>(&self, read: impl Fn() -> R) -> (R, Stretch) {
        loop {
            let since = self.since.load();
            let (mode, runs, value, now) = (self.mode.load(), self.runs.load(), read(), tsc::now());
            // What was read above was read before the second look.
            fence_full();
            if since != WRITING && since == self.since.load() {
                let ticks = if since == 0 { 0 } else { now.saturating_sub(since) };
                return (value, Stretch { mode, runs, ticks });
            }
            sync::cpu::relax();
        }
    }
}

/// Up to this moment.
pub fn cpu_times(cpu: CpuId) -> CpuTimes {
    let ledger = LEDGERS.of(cpu);
    let (spent, stretch) = ledger.consistent(|| ledger.spent.each_ref().map(Counter::get));
    let of_now = |kind: Mode| if stretch.mode == kind as u8 { stretch.ticks } else { 0 };
    let with = |kind: Mode| tsc::to_nanoseconds(spent[kind as usize] + of_now(kind));
    CpuTimes { user_ns: with(Mode::User), system_ns: with(Mode::System), idle_ns: with(Mode::Idle) }
}

impl Thread {
    /// CPU time used, up to this moment.
    pub fn times(&self) -> Times {
        let read = || [self.account.user_ticks.get(), self.account.system_ticks.get()];
        let times = |[user, system]: [u64; 2]| Times { user_ns: tsc::to_nanoseconds(user), system_ns: tsc::to_nanoseconds(system) };
        loop {
            let cpu = self.last_cpu();
            let (mut spent, stretch) = LEDGERS.of(cpu).consistent(read);
            if stretch.runs == self.id() {
                spent[usize::from(stretch.mode != Mode::User as u8)] += stretch.ticks;
                return times(spent);
            }
            // It did not run there, so all was charged; unless it went to another CPU meanwhile.
            if self.last_cpu() == cpu {
                return times(spent);
            }
        }
    }

    /// A page fault of its program was settled.
    pub fn count_page_fault(&self) {
        self.account.faults.increment();
    }

    /// How many page faults of its program were settled.
    pub fn page_faults(&self) -> u64 {
        self.account.faults.get()
    }

    /// How often it gave the CPU up, and how often it was made to.
    pub fn switches(&self) -> (u64, u64) {
        (self.account.voluntary_switches.get(), self.account.involuntary_switches.get())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::thread::scheduling::Scheduling;
    use sync::Flag;

    #[test]
    fn a_threads_time_never_goes_back_for_who_looks_from_another_cpu() {
        static DONE: Flag = Flag::new(false);
        const CPU: CpuId = CpuId::new(50);
        let (one, other) = (Thread::for_test("one", Scheduling::NORMAL), Thread::for_test("other", Scheduling::NORMAL));
        one.set_home(CPU);
        std::thread::scope(|scope| {
            scope.spawn(|| {
                sync::cpu::host::play(CPU);
                begin(&IrqOff::new());
                for _ in 0..20_000 {
                    switch(&other, &one, &IrqOff::new());
                    sample(&one, false, &IrqOff::new());
                    sample(&one, true, &IrqOff::new());
                    switch(&one, &other, &IrqOff::new());
                }
                DONE.set();
            });
            let (mut last, mut cpu_last) = (Times::default(), 0);
            while !DONE.is_set() {
                let (now, cpu) = (one.times(), cpu_times(CPU));
                assert!(now.user_ns >= last.user_ns && now.system_ns >= last.system_ns, "{last:?} became {now:?}");
                assert!(cpu.user_ns + cpu.system_ns >= cpu_last, "the CPU's time went back");
                (last, cpu_last) = (now, cpu.user_ns + cpu.system_ns);
            }
        });
        assert!(one.times().user_ns > 0);
    }
}
