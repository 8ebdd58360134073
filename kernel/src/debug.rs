//! `debug=` on the command line: what a broken kernel looks like, on purpose, so that tests see that it is told.
//!
//! Invariant: nothing here runs unless it is asked for.

use alloc::boxed::Box;
use alloc::sync::Arc;
use core::hint::black_box;
use libkernel::sched::{self, Spawn};
use libkernel::wait::{Deadline, Mutex, WaitQueue, sleep_until};
use libkernel::warn;
use sync::{CpuId, CpuSet, Flag, IrqOff, SpinLock, TaskContext, order};

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
        _ => warn!("debug: only panic, overflow, calls, deadlock, lost-wake, deaf and stubborn are known"),
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
