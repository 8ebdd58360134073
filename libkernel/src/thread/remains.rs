//! What a dead thread leaves behind, kept until someone may take it apart.
//!
//! Invariant: a payload is dropped where locks of any spin class may be taken: never in a handler, under a lock,
//! or in the middle of a switch.

use super::thread::Payload;
use alloc::boxed::Box;
use intrusive_collections::{LinkedList, LinkedListAtomicLink, intrusive_adapter};
use sync::{Flag, SpinLock, order};

/// Made with the thread, so that dying needs no memory.
pub(crate) struct Remains {
    link: LinkedListAtomicLink,
    pub(crate) payload: Option<Payload>,
}

impl Remains {
    pub(crate) fn new(payload: Option<Payload>) -> Box<Remains> {
        Box::new(Remains { link: LinkedListAtomicLink::new(), payload })
    }
}

intrusive_adapter!(RemainsAdapter = Box<Remains>: Remains { link => LinkedListAtomicLink });

static WAITING: SpinLock<LinkedList<RemainsAdapter>, order::ThreadState> = SpinLock::new(LinkedList::new(RemainsAdapter::NEW));
static ANY: Flag = Flag::new(false);

/// Takes them apart now if that may be done here, else keeps them.
pub(crate) fn leave(remains: Box<Remains>) {
    let now = sync::cpu::preemption_allowed() && sync::cpu::interrupts_are_on() && sync::cpu::spin_held() == 0;
    if now {
        drop(remains);
    } else {
        WAITING.lock_without_context().push_back(remains);
        ANY.set();
    }
}

/// Takes apart what was kept. Called where nothing is held: before a thread is made, and by idle CPUs.
pub(crate) fn collect() {
    while ANY.is_set() {
        let next = {
            let mut waiting = WAITING.lock_without_context();
            let next = waiting.pop_front();
            if waiting.is_empty() {
                ANY.clear();
            }
            next
        };
        drop(next);
    }
}
