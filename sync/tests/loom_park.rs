//! The park word, explored: every interleaving of one sleeper with its wakers, on two and three CPUs.
//!
//! Run with `RUSTFLAGS="--cfg loom" cargo test -p sync --release --test 'loom_*'`. Each model has broken
//! twins, which must fail, each in its own way.
#![cfg(loom)]

use loom::cell::UnsafeCell;
use loom::sync::atomic::{AtomicBool, AtomicU8, AtomicUsize, Ordering, Ordering::*};
use loom::sync::{Arc, Mutex};
use loom::thread;
use sync::{Park, ParkState};

/// How the code under test sleeps and wakes.
trait Protocol: Send + Sync + 'static {
    /// With which orderings the waker publishes, and the sleeper reads, the condition.
    const CONDITION: (Ordering, Ordering) = (Release, Acquire);

    fn new() -> Self;
    /// The thread: announces its sleep; true if it shall sleep now, which `condition` can still deny.
    fn wants_to_sleep(&self, condition: &dyn Fn() -> bool) -> bool;
    fn switched_out(&self) -> bool;
    fn wake(&self) -> bool;
    fn resumed(&self);
    fn is_parked(&self) -> bool;
}

/// One thread and what is around it. `context` stands for its stack and saved registers: loom reports
/// two unordered accesses, which are "ran on two CPUs" or "resumed before it was saved".
struct World<P> {
    protocol: P,
    context: UnsafeCell<u32>,
    queued: Mutex<usize>,
    condition: AtomicBool,
    payload: UnsafeCell<u32>,
    done: AtomicUsize,
}

impl<P: Protocol> World<P> {
    fn new() -> Arc<Self> {
        Arc::new(World {
            protocol: P::new(),
            context: UnsafeCell::new(0),
            queued: Mutex::new(0),
            condition: AtomicBool::new(false),
            payload: UnsafeCell::new(0),
            done: AtomicUsize::new(0),
        })
    }

    fn condition(&self) -> bool {
        self.condition.load(P::CONDITION.1)
    }

    fn use_context(&self) {
        // SAFETY: loom checks that nobody else is at it.
        self.context.with_mut(|context| unsafe { *context += 1 });
    }

    fn enqueue(&self) {
        let mut queued = self.queued.lock().unwrap();
        *queued += 1;
        assert_eq!(*queued, 1, "queued twice");
    }

    /// The thread's own code, on some CPU, until it sleeps or is done.
    fn run(&self, resumed: bool) {
        self.use_context();
        if resumed {
            self.protocol.resumed();
        }
        if !self.condition() && self.protocol.wants_to_sleep(&|| self.condition()) {
            self.use_context(); // saves its registers
            if self.protocol.switched_out() {
                self.enqueue();
            }
            return;
        }
        self.use_context();
        // SAFETY: loom checks that the write came before.
        self.payload.with(|payload| assert_eq!(unsafe { *payload }, 42));
        self.done.fetch_add(1, Relaxed);
    }

    /// A CPU with nothing else to do looks at the run queue once.
    fn poll(&self) {
        let queued = std::mem::take(&mut *self.queued.lock().unwrap());
        if queued > 0 {
            self.run(true);
        }
    }

    fn publish(&self) {
        // SAFETY: loom checks that nobody reads it yet.
        self.payload.with_mut(|payload| unsafe { *payload = 42 });
        self.condition.store(true, P::CONDITION.0);
    }

    fn wake(&self) {
        if self.protocol.wake() {
            self.enqueue();
        }
    }

    fn check_the_end(&self) {
        assert!(!self.protocol.is_parked(), "LOST WAKE: condition true, thread asleep and on no queue");
        assert_eq!(self.done.load(Relaxed), 1, "not done exactly once");
    }
}

/// CPU 0 runs the thread and then idles; CPU 1 makes the condition true, wakes, idles.
fn nobody_sleeps_through<P: Protocol>() {
    loom::model(|| {
        let world = World::<P>::new();
        let other = world.clone();
        let waker = thread::spawn(move || {
            other.publish();
            other.wake();
            other.poll();
        });
        world.run(false);
        world.poll();
        waker.join().unwrap();
        world.poll();
        world.check_the_end();
    });
}

/// The kernel's own park word.
struct Real(Park);

impl Protocol for Real {
    fn new() -> Self {
        Real(Park::new())
    }
    fn wants_to_sleep(&self, condition: &dyn Fn() -> bool) -> bool {
        while !self.0.prepare() {
            self.0.finish();
        }
        let sleep = !condition();
        if !sleep {
            self.0.finish();
        }
        sleep
    }
    fn switched_out(&self) -> bool {
        self.0.switched_out(true)
    }
    fn wake(&self) -> bool {
        self.0.wake()
    }
    fn resumed(&self) {
        self.0.finish();
    }
    fn is_parked(&self) -> bool {
        self.0.peek() == ParkState::Parked
    }
}

#[test]
fn the_park_word_loses_no_wake() {
    nobody_sleeps_through::<Real>();
}

/// Twins that keep a state under a lock, as the audited kernel did.
struct Locked<const MARK_FIRST: bool>(Mutex<bool>);

impl<const MARK_FIRST: bool> Protocol for Locked<MARK_FIRST> {
    fn new() -> Self {
        Locked(Mutex::new(false))
    }
    fn wants_to_sleep(&self, condition: &dyn Fn() -> bool) -> bool {
        *self.0.lock().unwrap() = MARK_FIRST;
        let sleep = !condition();
        if !sleep {
            *self.0.lock().unwrap() = false;
        }
        sleep
    }
    fn switched_out(&self) -> bool {
        if !MARK_FIRST {
            *self.0.lock().unwrap() = true;
        }
        false
    }
    fn wake(&self) -> bool {
        std::mem::take(&mut *self.0.lock().unwrap())
    }
    fn resumed(&self) {}
    fn is_parked(&self) -> bool {
        *self.0.lock().unwrap()
    }
}

#[test]
#[should_panic(expected = "LOST WAKE")]
fn marking_itself_blocked_last_loses_a_wake() {
    nobody_sleeps_through::<Locked<false>>();
}

#[test]
#[should_panic(expected = "Concurrent write accesses to `UnsafeCell`")]
fn marking_itself_blocked_first_runs_on_two_cpus() {
    nobody_sleeps_through::<Locked<true>>();
}

/// Twins of the park word: a waker that tests first, or everything relaxed.
struct Twin<const TEST_FIRST: bool, const RELAXED: bool>(AtomicU8);

const RUN: u8 = 0;
const PARKING: u8 = 1;
const PARKED: u8 = 2;
const TOKEN: u8 = 3;

impl<const TEST_FIRST: bool, const RELAXED: bool> Twin<TEST_FIRST, RELAXED> {
    const BOTH: Ordering = if RELAXED { Relaxed } else { AcqRel };

    fn change(&self, from: u8, to: u8) -> bool {
        self.0.compare_exchange(from, to, Self::BOTH, if RELAXED { Relaxed } else { Acquire }).is_ok()
    }
}

impl<const TEST_FIRST: bool, const RELAXED: bool> Protocol for Twin<TEST_FIRST, RELAXED> {
    fn new() -> Self {
        Twin(AtomicU8::new(RUN))
    }
    fn wants_to_sleep(&self, condition: &dyn Fn() -> bool) -> bool {
        while !self.change(RUN, PARKING) {
            self.resumed();
            if condition() {
                return false;
            }
        }
        let sleep = !condition();
        if !sleep {
            self.resumed();
        }
        sleep
    }
    fn switched_out(&self) -> bool {
        !self.change(PARKING, PARKED)
    }
    fn wake(&self) -> bool {
        if TEST_FIRST && self.0.load(Acquire) == RUN {
            return false; // "it is running, it will see the condition for itself"
        }
        self.0.swap(TOKEN, Self::BOTH) == PARKED
    }
    fn resumed(&self) {
        self.0.swap(RUN, Self::BOTH);
    }
    fn is_parked(&self) -> bool {
        self.0.load(Relaxed) == PARKED
    }
}

#[test]
#[should_panic(expected = "LOST WAKE")]
fn a_waker_that_tests_first_loses_a_wake() {
    nobody_sleeps_through::<Twin<true, false>>();
}

#[test]
#[should_panic(expected = "Causality violation")]
fn a_relaxed_park_word_resumes_what_is_not_saved() {
    nobody_sleeps_through::<Twin<false, true>>();
}

/// The real word with a condition that is published and read relaxed.
struct RelaxedCondition(Real);

impl Protocol for RelaxedCondition {
    const CONDITION: (Ordering, Ordering) = (Relaxed, Relaxed);

    fn new() -> Self {
        RelaxedCondition(Real::new())
    }
    fn wants_to_sleep(&self, condition: &dyn Fn() -> bool) -> bool {
        self.0.wants_to_sleep(condition)
    }
    fn switched_out(&self) -> bool {
        self.0.switched_out()
    }
    fn wake(&self) -> bool {
        self.0.wake()
    }
    fn resumed(&self) {
        self.0.resumed();
    }
    fn is_parked(&self) -> bool {
        self.0.is_parked()
    }
}

#[test]
#[should_panic(expected = "Concurrent read and write accesses")]
fn the_park_word_does_not_publish_a_relaxed_condition() {
    nobody_sleeps_through::<RelaxedCondition>();
}

#[test]
fn an_event_and_a_signal_on_three_cpus_wake_once() {
    let mut model = loom::model::Builder::new();
    model.preemption_bound = Some(3);
    model.check(|| {
        let world = World::<Real>::new();
        let (event, signal) = (world.clone(), world.clone());
        let event = thread::spawn(move || {
            event.publish();
            event.wake();
            event.poll();
        });
        let signal = thread::spawn(move || {
            signal.wake();
            signal.poll();
        });
        world.run(false);
        world.poll();
        event.join().unwrap();
        signal.join().unwrap();
        world.poll();
        world.poll();
        world.check_the_end();
    });
}

/// The waker wakes only who is registered; the thread registers, prepares, and is preempted before it
/// looks at the condition. To park it there loses the wake that came before the registration.
fn preempted_while_parking(parked_by_preemption: bool) {
    loom::model(move || {
        let world = World::<Real>::new();
        let registered = Arc::new(Mutex::new(false));
        let (other, seen) = (world.clone(), registered.clone());
        let waker = thread::spawn(move || {
            other.publish();
            let registered = *seen.lock().unwrap();
            if registered {
                other.wake();
            }
            other.poll();
        });
        *registered.lock().unwrap() = true;
        if world.protocol.0.prepare() {
            world.use_context(); // the timer: saves its registers
            if world.protocol.0.switched_out(parked_by_preemption) {
                world.enqueue();
            }
            world.poll();
        } else {
            world.run(true);
        }
        waker.join().unwrap();
        world.poll();
        world.check_the_end();
    });
}

#[test]
fn a_thread_preempted_while_parking_is_queued() {
    preempted_while_parking(false);
}

#[test]
#[should_panic(expected = "LOST WAKE")]
fn parking_a_preempted_thread_loses_a_wake() {
    preempted_while_parking(true);
}
