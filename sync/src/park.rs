//! The park word: one thread's sleep and wake in one atomic.
//!
//! Invariant: a thread is in exactly one place: running on one CPU, in one run queue, or (parked)
//! nowhere; whoever changes the word away from parked has the only right to queue it, and its context
//! was saved before. So there is no "on a CPU" flag, and nobody ever spins on one.
//!
//! ```text
//!            prepare                switched_out(true)
//!   RUN ---------------> PARKING ---------------------> PARKED
//!    ^ ^     finish         | wake                         | wake: the waker queues it
//!    | +--------------------+--> TOKEN <-------------------+
//!    +-- finish ------------------ |      (sticky: the next prepare fails)
//! ```

use crate::atomic::{AtomicU8, Ordering};
use crate::chaos;
use crate::twin::{self, Twin};

/// Running or queued, no wake pending.
const RUN: u8 = 0;
/// Announced that it will sleep; still on a CPU, or preempted onto a run queue.
const PARKING: u8 = 1;
/// Context saved, queued nowhere.
const PARKED: u8 = 2;
/// Running, queued or about to be queued; a wake is pending.
const TOKEN: u8 = 3;

/// What a park word says, for reports: it may change at any moment.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum ParkState {
    Running,
    Parking,
    Parked,
    Woken,
}

pub struct Park(AtomicU8);

impl Default for Park {
    fn default() -> Self {
        Self::new()
    }
}

impl Park {
    const_unless_loom! {
        pub const fn new() -> Self {
            Park(AtomicU8::new(RUN))
        }
    }

    const_unless_loom! {
        /// A thread that was never started: nowhere, waiting for its first `wake`.
        pub const fn new_parked() -> Self {
            Park(AtomicU8::new(PARKED))
        }
    }

    /// The thread itself, before it looks at its condition for the last time.
    /// False: a wake is pending; `finish`, look again, do not sleep.
    #[must_use]
    pub fn prepare(&self) -> bool {
        let announced = between(|| self.0.compare_exchange(RUN, PARKING, Ordering::AcqRel, Ordering::Acquire).is_ok());
        twin::interruption();
        announced
    }

    /// The thread itself, when it does not sleep after all, or runs again.
    pub fn finish(&self) {
        between(|| self.0.swap(RUN, Ordering::AcqRel));
    }

    /// The CPU that has left this thread: on the next stack, interrupts off, context saved.
    /// `voluntary`: it went to sleep (neither preempted nor yielding). True: queue it now.
    #[must_use]
    pub fn switched_out(&self, voluntary: bool) -> bool {
        !(voluntary || twin::is(Twin::PreemptionParks))
            || between(|| self.0.compare_exchange(PARKING, PARKED, Ordering::AcqRel, Ordering::Acquire).is_err())
    }

    /// Anyone, after making the condition true. True: the caller must queue the thread.
    /// Never tests first: "it is running, it will see for itself" loses wakes on x86 too.
    #[must_use]
    pub fn wake(&self) -> bool {
        if twin::is(Twin::WakeTestsFirst) && self.0.load(Ordering::Acquire) == RUN {
            return false;
        }
        between(|| self.0.swap(TOKEN, Ordering::AcqRel) == PARKED)
    }

    pub fn peek(&self) -> ParkState {
        match self.0.load(Ordering::Relaxed) {
            RUN => ParkState::Running,
            PARKING => ParkState::Parking,
            PARKED => ParkState::Parked,
            _ => ParkState::Woken,
        }
    }
}

/// A change of the word, and whatever may come just before and just after it.
#[inline]
fn between<R>(change: impl FnOnce() -> R) -> R {
    chaos::point();
    let result = change();
    chaos::point();
    result
}

#[cfg(test)]
#[cfg(not(any(loom, shuttle)))]
mod tests {
    use super::*;

    #[test]
    fn only_the_waker_of_a_parked_thread_queues_it() {
        let park = Park::new();
        assert!(park.prepare());
        assert!(!park.switched_out(true));
        assert_eq!(park.peek(), ParkState::Parked);
        assert!(park.wake());
        assert!(!park.wake());
    }

    #[test]
    fn a_wake_before_the_sleep_is_not_forgotten() {
        let park = Park::new();
        assert!(!park.wake());
        assert!(!park.prepare());
        park.finish();
        assert!(park.prepare());
    }

    #[test]
    fn a_wake_between_prepare_and_the_switch_queues_it_at_once() {
        let park = Park::new();
        assert!(park.prepare());
        assert!(!park.wake());
        assert!(park.switched_out(true));
    }

    #[test]
    fn a_preempted_thread_is_queued_and_stays_parking() {
        let park = Park::new();
        assert!(park.prepare());
        assert!(park.switched_out(false));
        assert_eq!(park.peek(), ParkState::Parking);
    }
}
