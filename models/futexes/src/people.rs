//! The program's threads, by their numbers in the words that are locks.

use crate::actor::Actor;
use crate::futex::Owner;
use crate::thread::scheduling::{Policy, Scheduling};
use std::cell::RefCell;
use std::sync::{Arc, Weak};
use sync::TaskContext;

// One model's threads all run on one OS thread. What is left of an execution owns nothing of it.
std::thread_local! {
    static ALL: RefCell<Vec<Weak<Owner>>> = const { RefCell::new(Vec::new()) };
}

/// The actor has this number, and this priority: who has a higher one lends to who is in the way.
pub fn enrol(actor: &Actor, number: i32) -> Arc<Owner> {
    let owner = Owner::new(number);
    owner.attach(&actor.thread);
    actor.thread.standing.want(own_rights(number));
    ALL.with_borrow_mut(|all| {
        // Nobody is left of the execution before.
        all.retain(|one| one.strong_count() != 0);
        all.push(Arc::downgrade(&owner));
    });
    owner
}

fn own_rights(number: i32) -> Scheduling {
    Scheduling::new(Policy::Fifo, 0, number as u8).unwrap_or_default()
}

/// Nobody lends it anything (any more).
pub fn is_lent_nothing(owner: &Owner) -> bool {
    owner.thread().is_none_or(|thread| thread.effective_scheduling() == own_rights(owner.number().cast_signed()))
}

/// Who has a number.
pub fn population(_: &mut TaskContext, number: i32) -> Option<Arc<Owner>> {
    let number = number.cast_unsigned();
    ALL.with_borrow(|all| all.iter().filter_map(Weak::upgrade).find(|owner| owner.number() == number))
}
