//! What a sleeping thread waits for, for reports.
//!
//! Invariant: the word points at a `Wait` on the waiter's own stack from before it sleeps until after; its lowest bit says that somebody
//! looks at it, and as long as it is set the waiter does not leave. So a wait costs a store and an exchange, and nobody's lock.

use core::panic::Location;
use sync::{IrqOff, Published, cpu};

/// One wait.
pub(crate) struct Wait<'a> {
    /// What is waited for: the names of the queues, one by one; none for a wait that only its end or an interruption ends.
    pub(crate) names: &'a dyn Fn(usize) -> Option<&'static str>,
    /// Where the thread is that all wait for; null when nobody knows.
    pub(crate) holder: Option<&'a Published<*mut ()>>,
    pub(crate) location: &'static Location<'static>,
    /// Nanoseconds since boot.
    pub(crate) since: u64,
    pub(crate) until: Option<u64>,
    pub(crate) manner: Manner,
}

/// What may end a wait, and how long it may last.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Manner {
    /// Only the condition: if that takes long, something is wrong.
    Steadfast,
    /// Only the condition, however long that takes.
    Patient,
    /// The condition or an interruption.
    Interruptible,
}

pub(crate) struct WaitRecord(Published<*mut Wait<'static>>);

const LOOKED_AT: usize = 1;

impl WaitRecord {
    sync::const_unless_loom! {
        pub(crate) const fn new() -> Self {
            WaitRecord(Published::<*mut Wait<'static>>::new(core::ptr::null_mut()))
        }
    }

    /// The thread itself: does what makes it sleep, and can be asked meanwhile what it waits for.
    pub(crate) fn during(&self, wait: &Wait<'_>, sleep: impl FnOnce()) {
        let word = core::ptr::from_ref(wait).cast::<Wait<'static>>().cast_mut();
        self.0.store(word);
        sleep();
        while self.0.compare_exchange(word, core::ptr::null_mut()).is_err() {
            cpu::relax();
        }
    }

    /// Shows the wait, if there is one, to `look`, which takes no lock.
    #[allow(unsafe_code)]
    pub(crate) fn look<R>(&self, look: impl FnOnce(&Wait<'_>) -> R) -> Option<R> {
        let _the_waiter_may_spin_meanwhile = IrqOff::new();
        loop {
            let word = self.0.load();
            if word.is_null() {
                return None;
            }
            let mine = word.map_addr(|address| address | LOOKED_AT);
            if mine != word && self.0.compare_exchange(word, mine).is_ok() {
                // SAFETY: `during` borrows what the word points at, and does not return while the bit is set.
                let result = look(unsafe { &*word });
                self.0.store(word);
                return Some(result);
            }
            cpu::relax();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::vec::Vec;

    #[test]
    fn a_wait_is_seen_while_it_lasts_and_never_after() {
        static RECORD: WaitRecord = WaitRecord::new();
        let seen: Vec<u64> = std::thread::scope(|scope| {
            let looker = scope.spawn(|| (0..20_000).filter_map(|_| RECORD.look(|wait| wait.since)).collect());
            for since in 1..20_000 {
                let wait =
                    Wait { names: &|_| None, holder: None, location: Location::caller(), since, until: None, manner: Manner::Steadfast };
                RECORD.during(&wait, || assert_eq!(RECORD.look(|wait| wait.since), Some(since)));
            }
            looker.join().unwrap_or_default()
        });
        assert!(seen.windows(2).all(|pair| pair[0] <= pair[1]), "an old wait was seen");
        assert!(RECORD.look(|_| ()).is_none());
    }
}
