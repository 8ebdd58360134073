//! Setting the wall clock, and telling those whose moment it moved.
//!
//! Invariant: the clock shows the new time before anyone is told; whoever asks to be told before reading the clock misses nothing.

use alloc::sync::{Arc, Weak};
use alloc::vec::Vec;

use libkernel::clock;
use libkernel::wait::WaitQueue;
use sync::{Counter, SpinLock, TaskContext, order};

/// Who waits for a moment of the wall clock and has to reckon anew when it is set.
pub trait Listener: Send + Sync {
    /// The wall clock shows another time than it would have.
    fn clock_was_set(&self, cx: &mut TaskContext);
}

/// Woken whenever the wall clock is set.
pub static WAS_SET: WaitQueue = WaitQueue::named("a moment of the wall clock");
/// How often it has been set.
static TIMES_SET: Counter = Counter::new(0);
static LISTENERS: SpinLock<Listeners, order::TimerTable> = SpinLock::new(Listeners { all: Vec::new(), sweep_at: FIRST_SWEEP });

/// At so many listeners the dead are looked for.
const FIRST_SWEEP: usize = 32;

struct Listeners {
    all: Vec<Weak<dyn Listener>>,
    sweep_at: usize,
}

/// How often the clock has been set.
pub fn times_set() -> u64 {
    TIMES_SET.get()
}

/// Tells `listener` from now on, until it is gone. To be asked for once for each.
pub fn listen(cx: &TaskContext, listener: Weak<dyn Listener>) {
    let mut listeners = LISTENERS.lock(cx);
    if listeners.all.len() >= listeners.sweep_at {
        listeners.all.retain(|one| one.strong_count() > 0);
        listeners.sweep_at = FIRST_SWEEP.max(listeners.all.len() * 2);
    }
    listeners.all.push(listener);
}

/// Sets the wall clock, in nanoseconds since 1970.
pub fn set(cx: &mut TaskContext, nanoseconds: u64) {
    clock::set_wall_clock(nanoseconds);
    TIMES_SET.increment();
    WAS_SET.wake_all(cx);
    let listeners: Vec<Arc<dyn Listener>> = LISTENERS.lock(cx).all.iter().filter_map(Weak::upgrade).collect();
    for listener in listeners {
        listener.clock_was_set(cx);
    }
}
