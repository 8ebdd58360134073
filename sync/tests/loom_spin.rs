//! The spin lock, explored: two CPUs in one critical section at most, and each sees the other's work.
#![cfg(loom)]

use loom::cell::UnsafeCell;
use loom::sync::Arc;
use loom::sync::atomic::{AtomicBool, Ordering, Ordering::*};
use loom::thread;
use sync::{PreemptOff, SpinLock, order};

/// A lock around a cell that loom watches.
trait Lock: 'static {
    fn new() -> Self;
    fn with(&self, f: impl FnOnce(&UnsafeCell<u32>));
}

fn two_cpus_count<L: Lock>() {
    loom::model(|| {
        let lock = Arc::new(L::new());
        let other = lock.clone();
        // SAFETY: loom checks that nobody else is at it.
        let add = |cell: &UnsafeCell<u32>| cell.with_mut(|count| unsafe { *count += 1 });
        let cpu = thread::spawn(move || other.with(add));
        lock.with(add);
        cpu.join().unwrap();
        // SAFETY: as above.
        lock.with(|cell| assert_eq!(cell.with(|count| unsafe { *count }), 2, "LOST COUNT"));
    });
}

struct Real(SpinLock<UnsafeCell<u32>, order::Pipe>);

impl Lock for Real {
    fn new() -> Self {
        Real(SpinLock::new(UnsafeCell::new(0)))
    }
    fn with(&self, f: impl FnOnce(&UnsafeCell<u32>)) {
        f(&self.0.lock(&PreemptOff::new()));
    }
}

#[test]
fn one_holder_at_a_time() {
    two_cpus_count::<Real>();
}

#[test]
fn a_tried_lock_sees_what_the_last_holder_did() {
    loom::model(|| {
        let lock = Arc::new(Real::new());
        let other = lock.clone();
        // SAFETY: loom checks that nobody else is at it.
        let cpu = thread::spawn(move || other.with(|cell| cell.with_mut(|count| unsafe { *count += 1 })));
        if let Some(cell) = lock.0.try_lock() {
            // SAFETY: as above.
            cell.with_mut(|count| unsafe { *count += 1 });
        }
        cpu.join().unwrap();
    });
}

/// Twins: one that tests and then sets, one that releases relaxed.
struct Twin<const TWO_STEPS: bool> {
    locked: AtomicBool,
    cell: UnsafeCell<u32>,
}

impl<const TWO_STEPS: bool> Twin<TWO_STEPS> {
    const RELEASE: Ordering = if TWO_STEPS { Release } else { Relaxed };

    fn take(&self) -> bool {
        if TWO_STEPS {
            let free = !self.locked.load(Acquire);
            if free {
                self.locked.store(true, Relaxed);
            }
            free
        } else {
            self.locked.compare_exchange(false, true, Acquire, Relaxed).is_ok()
        }
    }
}

impl<const TWO_STEPS: bool> Lock for Twin<TWO_STEPS> {
    fn new() -> Self {
        Twin { locked: AtomicBool::new(false), cell: UnsafeCell::new(0) }
    }
    fn with(&self, f: impl FnOnce(&UnsafeCell<u32>)) {
        while !self.take() {
            thread::yield_now();
        }
        f(&self.cell);
        self.locked.store(false, Self::RELEASE);
    }
}

#[test]
#[should_panic(expected = "Concurrent write accesses to `UnsafeCell`")]
fn testing_and_then_setting_lets_two_in() {
    two_cpus_count::<Twin<true>>();
}

#[test]
#[should_panic(expected = "Causality violation: Concurrent")]
fn a_relaxed_release_hides_what_the_holder_did() {
    two_cpus_count::<Twin<false>>();
}
