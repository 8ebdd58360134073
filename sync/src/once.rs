//! Once: set at boot, read for ever.
//!
//! Invariant: the value is written before `READY` is stored, by the one who moved the word off `EMPTY`,
//! and never again until the drop.

use crate::PreemptOff;
use core::cell::UnsafeCell;
use core::mem::MaybeUninit;
// Plain ones in the model checkers too: what is set before anyone reads is not what they explore.
use core::sync::atomic::{AtomicU8, Ordering};

const EMPTY: u8 = 0;
const WRITING: u8 = 1;
const READY: u8 = 2;

pub struct Once<T> {
    state: AtomicU8,
    value: UnsafeCell<MaybeUninit<T>>,
}

// SAFETY: `&T` is handed to every CPU (Sync), and the setter's value may be dropped by another (Send).
unsafe impl<T: Send + Sync> Sync for Once<T> {}
// SAFETY: it owns its value.
unsafe impl<T: Send> Send for Once<T> {}

impl<T> Once<T> {
    pub const fn new() -> Self {
        Once { state: AtomicU8::new(EMPTY), value: UnsafeCell::new(MaybeUninit::uninit()) }
    }

    /// Gives the value back when there is one already, or another CPU is just setting it.
    pub fn set(&self, value: T) -> Result<(), T> {
        if self.state.compare_exchange(EMPTY, WRITING, Ordering::Acquire, Ordering::Relaxed).is_err() {
            return Err(value);
        }
        // SAFETY: only one can leave EMPTY, and nobody reads before READY.
        unsafe { (*self.value.get()).write(value) };
        self.state.store(READY, Ordering::Release);
        Ok(())
    }

    /// The value: this one, if there was none. For those that several set, and all of them in this way: whoever finds another CPU
    /// just setting it waits for that, which has no pause in it.
    pub fn get_or_set(&self, value: T) -> &T {
        let stays = PreemptOff::new();
        let another_was_first = self.set(value);
        drop(stays);
        drop(another_was_first);
        loop {
            if let Some(value) = self.get() {
                return value;
            }
            core::hint::spin_loop();
        }
    }

    #[inline]
    pub fn get(&self) -> Option<&T> {
        if self.state.load(Ordering::Acquire) != READY {
            return None;
        }
        // SAFETY: READY was stored after the value, which does not change again.
        Some(unsafe { (*self.value.get()).assume_init_ref() })
    }

    /// The value, where it being unset is a mistake of ours; `what` says what should have been set.
    #[inline]
    #[track_caller]
    pub fn expect_set(&self, what: &'static str) -> &T {
        match self.get() {
            Some(value) => value,
            None => not_set(what),
        }
    }
}

#[cold]
#[inline(never)]
#[track_caller]
fn not_set(what: &'static str) -> ! {
    panic!("used before it was set: {what}")
}

impl<T> Default for Once<T> {
    fn default() -> Self {
        Self::new()
    }
}

impl<T> Drop for Once<T> {
    fn drop(&mut self) {
        if self.state.load(Ordering::Acquire) == READY {
            // SAFETY: READY says that there is a value, and this is its last use.
            unsafe { self.value.get_mut().assume_init_drop() };
        }
    }
}

#[cfg(test)]
#[cfg(not(any(loom, shuttle)))]
mod tests {
    extern crate std;
    use super::*;
    use std::sync::Arc;

    #[test]
    fn the_first_value_stays() {
        let once = Once::new();
        assert_eq!(once.get(), None);
        assert_eq!(once.set(1), Ok(()));
        assert_eq!(once.set(2), Err(2));
        assert_eq!(once.get(), Some(&1));
    }

    #[test]
    fn of_several_who_set_it_all_get_the_first_one() {
        for _ in 0..200 {
            let once = Once::new();
            let ready = std::sync::Barrier::new(4);
            let got: std::vec::Vec<u64> = std::thread::scope(|scope| {
                let setters = [1, 2, 3, 4].map(|value| {
                    let (once, ready) = (&once, &ready);
                    scope.spawn(move || {
                        ready.wait();
                        *once.get_or_set(value)
                    })
                });
                setters.into_iter().map(|setter| setter.join().unwrap()).collect()
            });
            assert!(got.iter().all(|value| once.get() == Some(value)), "{got:?}");
        }
    }

    #[test]
    fn the_value_is_dropped_once() {
        let value = Arc::new(());
        let once = Once::new();
        assert!(once.set(value.clone()).is_ok());
        drop(once);
        drop(Once::<Arc<()>>::new());
        assert_eq!(Arc::strong_count(&value), 1);
    }

    #[test]
    #[should_panic(expected = "used before it was set: the console")]
    fn an_unset_value_names_itself() {
        Once::<u8>::new().expect_set("the console");
    }
}
