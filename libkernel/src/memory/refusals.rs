//! Memory that is refused by lot, to see that everybody who asks for it can hear no.
//!
//! Invariant: only in kernels with debug assertions, only once it was asked for, and of the heap only what asks by `Room`.

use super::frames::Owner;
use sync::Published;

/// So many requests are granted first: the first program comes into being.
const GRANTED: u64 = 4_000;

/// One in so many is refused; 0 for none. Of frames, and of room in lists.
static ODDS: Published<u64> = Published::<u64>::new(0);
static ODDS_OF_LISTS: Published<u64> = Published::<u64>::new(0);
static SEED: Published<u64> = Published::<u64>::new(0);
static ASKED: Published<u64> = Published::<u64>::new(0);

/// From here on. Which requests are refused is a function of the seed and of how many were made.
pub fn refuse_by_lot(odds: u64, odds_of_lists: u64, seed: u64) -> bool {
    SEED.store(seed);
    ODDS.store(odds);
    ODDS_OF_LISTS.store(odds_of_lists);
    cfg!(debug_assertions)
}

pub(super) fn is_drawn(owner: Owner) -> bool {
    if !cfg!(debug_assertions) {
        return false;
    }
    matches!(owner, Owner::Page | Owner::Stack | Owner::PageTable) && is_next_drawn(ODDS.load())
}

pub(super) fn is_drawn_for_list() -> bool {
    cfg!(debug_assertions) && is_next_drawn(ODDS_OF_LISTS.load())
}

fn is_next_drawn(odds: u64) -> bool {
    odds != 0 && lot(ASKED.fetch_add(1), SEED.load(), odds)
}

/// splitmix64.
const fn lot(asked: u64, seed: u64, odds: u64) -> bool {
    let mut mixed = seed.wrapping_add((asked + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15));
    mixed = (mixed ^ mixed >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    mixed = (mixed ^ mixed >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
    asked >= GRANTED && (mixed ^ mixed >> 31).is_multiple_of(odds)
}

#[cfg(test)]
mod tests {
    use super::lot;

    #[test]
    fn about_as_many_are_refused_as_was_asked_for_and_none_at_the_beginning() {
        assert!((0..4_000).all(|asked| !lot(asked, 7, 2)));
        let refused = (4_000..104_000).filter(|asked| lot(*asked, 7, 50)).count();
        assert!((1_500..2_500).contains(&refused), "{refused}");
    }
}
