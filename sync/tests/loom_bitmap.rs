//! SlotMap, explored: a slot has one owner, who sees what the last one left in it.
#![cfg(loom)]

use loom::cell::UnsafeCell;
use loom::sync::Arc;
use loom::sync::atomic::{AtomicU64, Ordering::*};
use loom::thread;
use sync::SlotMap;

trait Slots: Send + Sync + 'static {
    fn new() -> Self;
    fn take(&self) -> Option<usize>;
    fn free(&self, slot: usize);
}

impl Slots for SlotMap<1> {
    fn new() -> Self {
        SlotMap::new()
    }
    fn take(&self) -> Option<usize> {
        self.take(0)
    }
    fn free(&self, slot: usize) {
        self.free(slot);
    }
}

/// Two CPUs take, use and free; what a slot stands for is a cell that loom watches.
fn two_cpus_share<S: Slots>() {
    loom::model(|| {
        let slots = Arc::new((S::new(), [UnsafeCell::new(0), UnsafeCell::new(0)]));
        let turn = |slots: &(S, [UnsafeCell<u32>; 2])| {
            let slot = slots.0.take().expect("64 slots for two CPUs");
            // SAFETY: loom checks that nobody else is at it.
            slots.1[slot].with_mut(|stack| unsafe { *stack += 1 });
            slots.0.free(slot);
        };
        let other = slots.clone();
        let cpu = thread::spawn(move || turn(&other));
        turn(&slots);
        cpu.join().unwrap();
    });
}

#[test]
fn a_slot_has_one_owner() {
    two_cpus_share::<SlotMap<1>>();
}

/// Twins: one takes in two steps, the other frees relaxed.
struct Twin<const TWO_STEPS: bool>(AtomicU64);

impl<const TWO_STEPS: bool> Slots for Twin<TWO_STEPS> {
    fn new() -> Self {
        Twin(AtomicU64::new(0))
    }
    fn take(&self) -> Option<usize> {
        loop {
            let bit = self.0.load(Relaxed).trailing_ones();
            if TWO_STEPS {
                self.0.fetch_or(1 << bit, Acquire);
                return Some(bit as usize); // did not look whether it was the one who set the bit
            }
            if self.0.fetch_or(1 << bit, Acquire) & (1 << bit) == 0 {
                return Some(bit as usize);
            }
        }
    }
    fn free(&self, slot: usize) {
        self.0.fetch_and(!(1 << slot), if TWO_STEPS { Release } else { Relaxed });
    }
}

#[test]
#[should_panic(expected = "Concurrent write accesses to `UnsafeCell`")]
fn not_looking_who_set_the_bit_gives_a_slot_twice() {
    two_cpus_share::<Twin<true>>();
}

#[test]
#[should_panic(expected = "Causality violation: Concurrent")]
fn a_relaxed_free_hides_the_last_owner() {
    two_cpus_share::<Twin<false>>();
}
