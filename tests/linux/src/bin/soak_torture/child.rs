//! A child of a process whose memory changes: it has the memory of one moment, and what it writes is its own.
//!
//! Invariant: the child allocates nothing, since another thread may have held the heap's lock when it came into being.

use linux_tests::guarded::{load, store};
use linux_tests::memory::PAGE;
use linux_tests::must_equal;
use linux_tests::process::{Ended, fork, wait};

use super::slot::{BYTES, CODE, PATTERN_END, PLACES, Rights, SLOTS, State, address, slot};

/// Nobody writes this anywhere in the parent.
const FOREIGN: u8 = 0xf0;
const CHANGED_ITSELF: i32 = 3;
const WRONG_BYTE: i32 = 4;
const WRONG_RIGHTS: i32 = 5;

pub fn fork_and_check() {
    let child = fork(|| (0..SLOTS).map(look).find(|status| *status != 0).unwrap_or(0));
    must_equal("a child in a copy of all slots", wait(child), Ended::Exited(0));
}

/// Rights are those of the moment: whoever changes them calls the slot restless first, and needs the space for it.
fn look(number: usize) -> i32 {
    let (before, state) = slot(number).look();
    if !before.is_multiple_of(2) {
        return 0;
    }
    let readable = [Rights::Read, Rights::ReadWrite, Rights::ReadExecute];
    for place in 0..PLACES {
        let expected = state.refusal(place, &readable);
        for page in (address(number, place)..address(number, place) + BYTES).step_by(PAGE) {
            match (load(page + CODE), expected) {
                (Ok(byte), None) if byte == 0 || usize::from(byte >> 4) == number => {}
                (Ok(_), None) => return WRONG_BYTE,
                (Err(found), Some(refusal)) if found == refusal => {}
                _ => return WRONG_RIGHTS,
            }
        }
    }
    if state.is_private() && state.rights == Rights::ReadWrite { own_copy(number, state) } else { 0 }
}

fn own_copy(number: usize, state: State) -> i32 {
    let first = address(number, state.place);
    for page in (first..first + BYTES).step_by(PAGE) {
        let (one, other) = (load(page + CODE), load(page + PATTERN_END - 8));
        if (load(page + CODE), load(page + PATTERN_END - 8)) != (one, other) {
            return CHANGED_ITSELF;
        }
        if (CODE..PATTERN_END + 256).step_by(8).any(|place| store(page + place, FOREIGN).is_err()) {
            return WRONG_RIGHTS;
        }
    }
    0
}
