//! `debug=` on the command line: what a broken kernel looks like, on purpose, so that tests see that it is told.
//!
//! Invariant: nothing here runs unless it is asked for.

use alloc::boxed::Box;
use alloc::sync::Arc;
use core::hint::black_box;
use libkernel::sched::{self, Spawn};
use libkernel::wait::{Deadline, Mutex, WaitQueue, sleep_until};
use libkernel::warn;
use machine::{apic, probe};
use sync::{Counter, CpuId, CpuSet, Flag, IrqOff, SpinLock, TaskContext, order};

/// One word for each way to break.
pub fn provoke(cx: &mut TaskContext, how: &[u8]) {
    match how {
        b"panic" => panic!("asked for by debug=panic"),
        b"overflow" => {
            black_box(descend(black_box(1)));
        }
        b"calls" => osl::syscall::dispatch::TRACE.set(),
        b"deadlock" => deadlock(cx),
        b"lost-wake" => lost_wake(cx),
        b"deaf" => stand_still(cx, "deaf", || {
            let _interrupts_off = IrqOff::new();
            spin_for_ever();
        }),
        b"stubborn" => stand_still(cx, "stubborn", || {
            let _held = HELD.lock_without_context();
            spin_for_ever();
        }),
        b"nmi" => nmi_that_faults(),
        _ => warn!("debug: only panic, overflow, calls, deadlock, lost-wake, deaf, stubborn and nmi are known"),
    }
}

fn start(cx: &mut TaskContext, name: &str, entry: impl FnOnce(&mut TaskContext) + Send + 'static) {
    if let Err(error) = sched::spawn(cx, Spawn::kernel(name, Box::new(entry))) {
        warn!("debug: no thread {name}: {error:?}");
    }
}

/// Uses up any stack.
#[inline(never)]
fn descend(depth: u64) -> u64 {
    let frame = black_box([depth; 32]);
    if depth == 0 {
        return 0;
    }
    descend(depth + 1) + black_box(frame)[0]
}

type Lock = Arc<Mutex<(), order::DirectoryParent>>;

/// Two threads, two locks, each in its own order.
fn deadlock(cx: &mut TaskContext) {
    let (left, right): (Lock, Lock) = (Arc::new(Mutex::new(())), Arc::new(Mutex::new(())));
    for (name, first, second) in [("left-handed", left.clone(), right.clone()), ("right-handed", right, left)] {
        start(cx, name, move |cx| {
            let _first = first.lock_as::<order::DirectoryParent>(cx);
            // Long enough for the other to have its first lock, whoever begins.
            let _time_is_up = sleep_until(cx, Deadline::after(200_000_000), false);
            let _second = second.lock_as::<order::DirectoryChild>(cx);
        });
    }
}

/// A condition becomes true and nobody is woken.
fn lost_wake(cx: &mut TaskContext) {
    static DONE: Flag = Flag::new(false);
    static WORK: WaitQueue = WaitQueue::named("work that is done already");
    start(cx, "forgotten", |cx| WORK.wait_until(cx, |_| DONE.is_set().then_some(())));
    start(cx, "forgetful", |cx| {
        let _time_is_up = sleep_until(cx, Deadline::after(200_000_000), false);
        DONE.set();
    });
}

static HELD: SpinLock<(), order::TimerTable> = SpinLock::new(());

/// A thread that keeps the second CPU to itself.
fn stand_still(cx: &mut TaskContext, name: &str, how: fn()) {
    let affinity = CpuSet::single(CpuId::new(1));
    let spawn = Spawn { affinity, ..Spawn::kernel(name, Box::new(move |_: &mut TaskContext| how())) };
    if let Err(error) = sched::spawn(cx, spawn) {
        warn!("debug: no thread {name}: {error:?}");
    }
}

#[inline(never)]
fn spin_for_ever() {
    while black_box(true) {
        sync::cpu::relax();
    }
}

/// NMIs are this file's, and what came of them.
static NMIS_WANTED: Flag = Flag::new(false);
static NMIS_INSIDE: Counter = Counter::new(0);
static NMIS_DONE: Counter = Counter::new(0);
/// Nothing is mapped there.
const FIRST_NOWHERE: u64 = 0xffff_ffff_0000_1000;
const SECOND_NOWHERE: u64 = 0xffff_ffff_0000_2000;

/// A page fault's address, and an NMI that faults itself before anyone has read it, while the next NMI waits.
fn nmi_that_faults() {
    let stay = IrqOff::new();
    NMIS_WANTED.set();
    let nothing = probe::word(FIRST_NOWHERE).is_none();
    apic::ipi::nmi(sync::cpu::current());
    while NMIS_DONE.get() < 2 {
        sync::cpu::relax();
    }
    let kept = machine::trap::fault_address() == FIRST_NOWHERE;
    NMIS_WANTED.clear();
    drop(stay);
    libkernel::info!("debug: two NMIs came, fault address kept: {}", kept && nothing);
}

/// Takes an NMI, if this file asked for it.
pub fn takes_nmi() -> bool {
    if !NMIS_WANTED.is_set() {
        return false;
    }
    if NMIS_INSIDE.get() != 0 {
        panic!("debug: an NMI came into another");
    }
    NMIS_INSIDE.set(1);
    if NMIS_DONE.get() == 0 {
        apic::ipi::nmi(sync::cpu::current());
        black_box(probe::word(SECOND_NOWHERE));
        (0..100_000).for_each(|_| sync::cpu::relax());
    }
    NMIS_DONE.set(NMIS_DONE.get() + 1);
    NMIS_INSIDE.set(0);
    true
}
