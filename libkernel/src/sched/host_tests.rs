//! Scheduler, wait queues and mutexes at work on four played CPUs, with threads taken off them at random.
//!
//! An OS thread plays each CPU and runs its idle loop; kernel threads are OS threads that carry the CPU as a baton
//! (seam 3). No interrupts come here, so a wish to reschedule is made by the threads themselves.

use super::{idle, preempt, spawn};
use crate::memory::on_host;
use crate::thread::current;
use crate::wait::{Mutex, WaitQueue};
use alloc::sync::Arc;
use std::boxed::Box;
use std::sync::mpsc;
use std::time::Duration;
use sync::{Counter, CpuId, PreemptOff, SpinLock, TaskContext, cpu, order};

/// High numbers: tests that use locks on the side get the low ones.
const CPUS: core::ops::Range<usize> = 40..44;
const WORKERS: u64 = 12;
const ROUNDS: u64 = 400;
/// Long enough for a machine with too few processors.
const PATIENCE: Duration = Duration::from_secs(120);

struct Shared {
    total: Mutex<u64, order::Node>,
    slot: SpinLock<Option<u64>, order::Pipe>,
    filled: WaitQueue,
    emptied: WaitQueue,
    sum: Counter,
    finished: Counter,
    migrations: Counter,
    done: mpsc::SyncSender<u64>,
}

fn maybe_preempted(number: u64) {
    if number.is_multiple_of(3) {
        let guard = PreemptOff::new();
        cpu::set_need_reschedule();
        drop(guard);
    }
}

fn count_up(cx: &mut TaskContext, shared: &Shared, round: u64) {
    let mut total = shared.total.lock(cx);
    let before = *total;
    maybe_preempted(round);
    if round.is_multiple_of(16) {
        super::yield_now(cx);
    }
    *total = before + 1;
}

fn produce(cx: &mut TaskContext, shared: &Shared, number: u64) {
    shared.emptied.wait_until(cx, |cx| {
        let mut slot = shared.slot.lock(cx);
        slot.is_none().then(|| *slot = Some(number))
    });
    maybe_preempted(number);
    if number.is_multiple_of(2) {
        shared.filled.wake_one(cx);
    } else {
        shared.filled.wake_one_donating(cx);
    }
}

fn consume(cx: &mut TaskContext, shared: &Shared) {
    let number = shared.filled.wait_until(cx, |cx| shared.slot.lock(cx).take());
    shared.emptied.wake_one_donating(cx);
    shared.sum.add(number);
}

fn work(cx: &mut TaskContext, shared: &Shared, worker: u64) {
    for round in 1..=ROUNDS {
        let before = current::of(cx).last_cpu();
        count_up(cx, shared, round + worker);
        if worker.is_multiple_of(2) {
            produce(cx, shared, round)
        } else {
            consume(cx, shared)
        }
        let after = current::of(cx).last_cpu();
        shared.migrations.add(u64::from(before != after));
    }
    if shared.finished.increment() + 1 == WORKERS {
        let total = *shared.total.lock(cx);
        // The receiver is the test; it may have given up.
        let _ = shared.done.send(total);
    }
}

fn run_cpu(number: usize, ready: &mpsc::Sender<()>, first: Option<Arc<Shared>>) -> ! {
    let here = CpuId::new(number);
    cpu::host::play(here);
    idle::initialise_cpu(here);
    let _ = ready.send(());
    if let Some(shared) = first {
        let mut cx = current::enter();
        for worker in 0..WORKERS {
            let shared = Arc::clone(&shared);
            let entry = Box::new(move |cx: &mut TaskContext| work(cx, &shared, worker));
            assert!(spawn::spawn(&mut cx, spawn::Spawn::kernel("worker", entry)).is_ok());
        }
    }
    idle::start_idle(here)
}

#[test]
fn nothing_is_lost_between_four_cpus() {
    let _alone = on_host::alone();
    preempt::initialise();
    let (done, finished) = mpsc::sync_channel(1);
    let shared = Arc::new(Shared {
        total: Mutex::new(0),
        slot: SpinLock::new(None),
        filled: WaitQueue::new(),
        emptied: WaitQueue::new(),
        sum: Counter::new(0),
        finished: Counter::new(0),
        migrations: Counter::new(0),
        done,
    });
    let (ready, is_ready) = mpsc::channel();
    for number in CPUS.skip(1) {
        let ready = ready.clone();
        std::thread::spawn(move || run_cpu(number, &ready, None));
    }
    for _ in CPUS.skip(1) {
        assert!(is_ready.recv_timeout(PATIENCE).is_ok());
    }
    let last = Arc::clone(&shared);
    std::thread::spawn(move || run_cpu(CPUS.start, &ready, Some(last)));
    let total = finished.recv_timeout(PATIENCE);
    assert!(total.is_ok(), "asleep for ever: {} of {WORKERS} workers came through", shared.finished.get());
    assert_eq!(total, Ok(WORKERS * ROUNDS));
    assert_eq!(shared.sum.get(), WORKERS / 2 * ROUNDS * (ROUNDS + 1) / 2);
    assert!(shared.migrations.get() != 0, "all stayed on one CPU");
}
