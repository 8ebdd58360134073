//! Which interrupt vector belongs to whom; give out and take back.
//!
//! Invariant: a slot's handler and data change only while nobody dispatches it: `take` owns a slot whose handler is
//! empty, and `drop` empties the handler, then waits until no CPU is inside. Dispatch takes no lock.

use core::mem::transmute;
use core::ptr;
use sync::{IrqContext, Published, SlotMap, fence_full};

pub use crate::apic::local::{CALL, KNOCK, SPURIOUS, TIMER};

/// First vector that devices get: above the exceptions and the legacy controllers' sixteen.
pub const FIRST: u8 = 0x30;
const COUNT: usize = 192;
const WORDS: usize = COUNT / 64;

const _: () = assert!(FIRST as usize + COUNT == TIMER as usize, "device vectors end where the fixed ones begin");

/// What a device's interrupt calls: with the number that was given to `take`.
pub type Handler = fn(&IrqContext, usize);

struct Slot {
    handler: Published<*mut ()>,
    data: Published<usize>,
    /// CPUs that are between looking at the handler and having come back from it.
    inside: Published<u32>,
}

static SLOTS: [Slot; COUNT] = [const {
    Slot { handler: Published::<*mut ()>::new(ptr::null_mut()), data: Published::<usize>::new(0), inside: Published::<u32>::new(0) }
}; COUNT];

static TAKEN: SlotMap<WORDS> = SlotMap::new();

/// A vector that is the owner's alone. Dropping it takes the handler back.
#[derive(Debug)]
pub struct OwnedVector {
    slot: usize,
}

/// Gives out a free vector, which calls `handler(_, data)` from now on; `None` when all are taken.
pub fn take(handler: Handler, data: usize) -> Option<OwnedVector> {
    let slot = TAKEN.take(0)?;
    SLOTS[slot].data.store(data);
    SLOTS[slot].handler.store(handler as *mut ());
    Some(OwnedVector { slot })
}

impl OwnedVector {
    pub fn number(&self) -> u8 {
        FIRST + self.slot as u8
    }
}

impl Drop for OwnedVector {
    /// Waits for handlers that run right now on other CPUs: never drop it inside its own handler, nor under a lock
    /// that the handler takes.
    fn drop(&mut self) {
        let slot = &SLOTS[self.slot];
        slot.handler.store(ptr::null_mut());
        // Pairs with the `fetch_add` of `dispatch`: either that CPU sees the empty handler, or we see it inside.
        fence_full();
        while slot.inside.load() != 0 {
            sync::cpu::relax();
        }
        TAKEN.free(self.slot);
    }
}

/// Calls the handler of `vector`. False when nobody owns it (a late interrupt of a device that was just released).
pub fn dispatch(context: &IrqContext, vector: u8) -> bool {
    let Some(slot) = vector.checked_sub(FIRST).and_then(|slot| SLOTS.get(usize::from(slot))) else {
        return false;
    };
    slot.inside.fetch_add(1);
    fence_full();
    let handler = slot.handler.load();
    if !handler.is_null() {
        // SAFETY: the only values stored besides null are `Handler` pointers (`take`).
        let handler = unsafe { transmute::<*mut (), Handler>(handler) };
        handler(context, slot.data.load());
    }
    slot.inside.fetch_sub(1);
    !handler.is_null()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::vec::Vec;
    use sync::Counter;

    static SUM: Counter = Counter::new(0);

    fn add(_: &IrqContext, data: usize) {
        SUM.add(data as u64);
    }

    fn in_handler<R>(f: impl FnOnce(&IrqContext) -> R) -> R {
        // SAFETY: the test's thread plays a CPU that is in its handler until the end of `f`.
        f(&unsafe { IrqContext::enter() })
    }

    #[test]
    fn a_vector_calls_its_owner_until_it_is_given_back() {
        let (one, two) = (take(add, 1).unwrap(), take(add, 100).unwrap());
        assert_ne!(one.number(), two.number());
        let number = two.number();
        in_handler(|context| {
            assert!(dispatch(context, one.number()));
            assert!(dispatch(context, number));
        });
        assert_eq!(SUM.get(), 101);
        drop(two);
        drop(one);
        // The slots may be taken by another test at once, but not with this test's data.
        in_handler(|context| dispatch(context, TIMER - 1));
        assert_eq!(SUM.get(), 101);
    }

    #[test]
    fn fixed_and_exception_vectors_are_never_dispatched_here() {
        in_handler(|context| {
            assert!(![0, 14, 0x20, 0x2f, TIMER, KNOCK, CALL, SPURIOUS].iter().any(|fixed| dispatch(context, *fixed)));
        });
    }

    static LIVE: [Published<u32>; 4] = [const { Published::<u32>::new(0) }; 4];

    fn must_be_live(_: &IrqContext, owner: usize) {
        assert_eq!(LIVE[owner].load(), 1, "called after its owner had let go");
    }

    #[test]
    fn no_handler_runs_after_its_vector_was_given_back() {
        let threads: Vec<_> = (0..LIVE.len())
            .map(|owner| {
                std::thread::spawn(move || {
                    for _ in 0..2000 {
                        LIVE[owner].store(1);
                        let vector = take(must_be_live, owner).unwrap();
                        in_handler(|context| {
                            for number in FIRST..FIRST + 8 {
                                dispatch(context, number);
                            }
                        });
                        drop(vector);
                        LIVE[owner].store(0);
                    }
                })
            })
            .collect();
        threads.into_iter().for_each(|thread| thread.join().unwrap());
    }
}
