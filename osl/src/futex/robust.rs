//! The words that a thread owned when it ended.
//!
//! Invariant: the list is the program's and may say anything: it is followed for a bounded number of steps, and a fault ends it.

use abi::constant::{FUTEX_OWNER_DIED, FUTEX_TID_MASK, FUTEX_WAITERS};
use abi::process::RobustListHead;
use libkernel::address_space::{UserAddress, user};
use sync::TaskContext;

use super::table::WORD_BYTES;
use super::wake_one;

/// As many as Linux follows.
const STEPS: usize = 2048;
/// The low bit of a pointer in the list says that priorities are inherited.
const INHERITS: u64 = 1;

/// Marks every word on the list, and the one that was being taken, that thread `owner` still owns.
pub fn release_all(cx: &mut TaskContext, head: u64, owner: i32) {
    let Ok(list) = user::copy_in_value::<RobustListHead>(cx, UserAddress::new(head)) else {
        return;
    };
    let pending = list.pending & !INHERITS;
    let word = |entry: u64| UserAddress::new((entry & !INHERITS).wrapping_add_signed(list.futex_offset));
    let mut entry = list.list;
    for _ in 0..STEPS {
        if entry & !INHERITS == head {
            break;
        }
        let next = user::copy_in_value::<u64>(cx, UserAddress::new(entry & !INHERITS));
        if entry & !INHERITS != pending && release(cx, word(entry), owner, entry & INHERITS != 0, false).is_none() {
            return;
        }
        match next {
            Ok(next) => entry = next,
            Err(_) => return,
        }
    }
    if pending != 0 {
        // The end of the thread is not held up by a word that is nowhere.
        let _ = release(cx, word(pending), owner, list.pending & INHERITS != 0, true);
    }
}

/// What the word becomes, if the thread owned it.
fn marked(word: u32, owner: u32) -> Option<u32> {
    (word & FUTEX_TID_MASK == owner & FUTEX_TID_MASK).then_some(word & FUTEX_WAITERS | FUTEX_OWNER_DIED)
}

/// `None` when there is no such word. Those that wait for a lock that inherits are handed it by the end of its owner, not woken.
fn release(cx: &mut TaskContext, at: UserAddress, owner: i32, inherits: bool, is_pending: bool) -> Option<()> {
    if !at.as_u64().is_multiple_of(WORD_BYTES) {
        return None;
    }
    let mut old = user::load_u32(cx, at).ok()?;
    if is_pending && !inherits && old & FUTEX_TID_MASK == 0 {
        // It died between letting go of the word and waking the next.
        wake_one(cx, at);
        return Some(());
    }
    while let Some(new) = marked(old, owner.cast_unsigned()) {
        match user::compare_exchange_u32(cx, at, old, new).ok()? {
            Ok(_) => {
                if !inherits && old & FUTEX_WAITERS != 0 {
                    wake_one(cx, at);
                }
                return Some(());
            }
            Err(found) => old = found,
        }
    }
    Some(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_owners_words_are_marked_and_waiters_stay_known() {
        assert_eq!(marked(42 | FUTEX_WAITERS, 42), Some(FUTEX_WAITERS | FUTEX_OWNER_DIED));
        assert_eq!(marked(42, 42), Some(FUTEX_OWNER_DIED));
        assert_eq!(marked(43, 42), None);
    }
}
