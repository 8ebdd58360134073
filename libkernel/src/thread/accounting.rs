//! Who used how much CPU time, by time stamps at every crossing, not by sampling.
//!
//! Invariant: a CPU's ledger is written by that CPU alone, with interrupts off; `since` is 0 while it writes, so a
//! reader on another CPU can tell that it saw a half-written entry.

use crate::clock;
use super::thread::Thread;
use sync::{Counter, CpuId, IrqOff, MAXIMUM_CPUS, PerCpu, Published};

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
    user_ns: Counter,
    system_ns: Counter,
    pub(crate) voluntary_switches: Counter,
    pub(crate) involuntary_switches: Counter,
}

impl Account {
    pub(crate) const fn new() -> Self {
        Account {
            user_ns: Counter::new(0),
            system_ns: Counter::new(0),
            voluntary_switches: Counter::new(0),
            involuntary_switches: Counter::new(0),
        }
    }
}

struct Ledger {
    since: Published<u64>,
    mode: Published<u8>,
    spent: [Counter; 3],
}

static LEDGERS: PerCpu<Ledger> = PerCpu::new(
    [const {
        Ledger {
            since: Published::<u64>::new(0),
            mode: Published::<u8>::new(Mode::System as u8),
            spent: [const { Counter::new(0) }; 3],
        }
    }; MAXIMUM_CPUS],
);

/// Charges what has passed to `thread` and to this CPU; from now on it is in `next` mode.
fn turn(thread: Option<&Thread>, next: Mode, irq: &IrqOff) {
    let ledger = LEDGERS.mine(irq);
    let since = ledger.since.swap(0);
    let now = clock::now().max(since).max(1);
    let passed = if since == 0 { 0 } else { now - since };
    let mode = ledger.mode.load();
    ledger.spent[usize::from(mode)].add(passed);
    if let Some(thread) = thread {
        let account = if mode == Mode::User as u8 { &thread.account.user_ns } else { &thread.account.system_ns };
        account.add(passed);
    }
    ledger.mode.store(next as u8);
    ledger.since.store(now);
}

/// Ring 3 was left: by `thread`.
pub(crate) fn enter_kernel(thread: &Thread, irq: &IrqOff) {
    turn(Some(thread), Mode::System, irq);
}

/// Ring 3 is about to be entered.
pub(crate) fn enter_user(thread: &Thread, irq: &IrqOff) {
    turn(Some(thread), Mode::User, irq);
}

/// This CPU goes from one thread to another.
pub(crate) fn switch(from: &Thread, to: &Thread, irq: &IrqOff) {
    turn(Some(from), if to.is_idle() { Mode::Idle } else { Mode::System }, irq);
}

/// This CPU begins its ledger, in the idle thread.
pub(crate) fn begin(irq: &IrqOff) {
    turn(None, Mode::Idle, irq);
}

impl Ledger {
    /// What `read` gives, with the running stretch's mode and length; the two belong together.
    fn consistent<R>(&self, read: impl Fn() -> R) -> (R, u8, u64) {
        loop {
            let since = self.since.load();
            let (mode, value) = (self.mode.load(), read());
            if since == self.since.load() {
                let running = if since == 0 { 0 } else { clock::now().saturating_sub(since) };
                return (value, mode, running);
            }
            sync::cpu::relax();
        }
    }
}

/// Up to this moment.
pub fn cpu_times(cpu: CpuId) -> CpuTimes {
    let ledger = LEDGERS.of(cpu);
    let (spent, mode, running) = ledger.consistent(|| ledger.spent.each_ref().map(Counter::get));
    let with = |kind: Mode| spent[kind as usize] + if mode == kind as u8 { running } else { 0 };
    CpuTimes { user_ns: with(Mode::User), system_ns: with(Mode::System), idle_ns: with(Mode::Idle) }
}

impl Thread {
    /// CPU time used, up to this moment.
    pub fn times(&self) -> Times {
        let read = || Times { user_ns: self.account.user_ns.get(), system_ns: self.account.system_ns.get() };
        let Some(cpu) = self.running_on() else { return read() };
        let (mut times, mode, running) = LEDGERS.of(cpu).consistent(read);
        if self.running_on() == Some(cpu) {
            let part = if mode == Mode::User as u8 { &mut times.user_ns } else { &mut times.system_ns };
            *part += running;
        }
        times
    }

    /// How often it gave the CPU up, and how often it was made to.
    pub fn switches(&self) -> (u64, u64) {
        (self.account.voluntary_switches.get(), self.account.involuntary_switches.get())
    }
}
