//! Numbers of tasks, groups and sessions: given out once, and again only when nobody uses them.
//!
//! Invariant: a number is in use as long as one holder is left (a task, a process not yet waited for, a group or a session), and
//! `take` never answers a number in use.

use alloc::collections::BTreeMap;

/// One above the highest number, as /proc/sys/kernel/pid_max says.
pub const NUMBER_LIMIT: i32 = 4_194_304;
/// The lowest number that is used again after the highest was reached; those below are left to what started at boot.
const LOWEST_AGAIN: i32 = 300;

/// Which numbers are in use, and how often.
pub struct Numbers {
    last: i32,
    holders: BTreeMap<i32, u32>,
}

impl Default for Numbers {
    fn default() -> Self {
        Self::new()
    }
}

impl Numbers {
    /// None in use; the first one given will be 1.
    pub const fn new() -> Self {
        Self { last: 0, holders: BTreeMap::new() }
    }

    /// A number that nobody uses, with one holder now. `None` when all are in use.
    pub fn take(&mut self) -> Option<i32> {
        for _ in 1..NUMBER_LIMIT {
            self.last = if self.last + 1 >= NUMBER_LIMIT { LOWEST_AGAIN } else { self.last + 1 };
            if !self.holders.contains_key(&self.last) {
                self.holders.insert(self.last, 1);
                return Some(self.last);
            }
        }
        None
    }

    /// Whether somebody uses a number.
    #[cfg(test)]
    pub fn is_held(&self, number: i32) -> bool {
        self.holders.contains_key(&number)
    }

    /// One more holder of a number.
    pub fn hold(&mut self, number: i32) {
        let holders = self.holders.entry(number).or_insert(0);
        *holders = holders.saturating_add(1);
    }

    /// One holder less; after the last one the number may be given again.
    pub fn release(&mut self, number: i32) {
        let Some(holders) = self.holders.get_mut(&number) else {
            return;
        };
        *holders -= 1;
        if *holders == 0 {
            self.holders.remove(&number);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_number_is_one_and_the_next_is_two() {
        let mut numbers = Numbers::new();
        assert_eq!(numbers.take(), Some(1));
        assert_eq!(numbers.take(), Some(2));
    }

    #[test]
    fn a_released_number_is_not_the_next_one_given() {
        let mut numbers = Numbers::new();
        let first = numbers.take();
        numbers.release(1);
        assert_ne!(numbers.take(), first);
    }

    #[test]
    fn a_number_with_a_holder_left_is_passed_over_after_the_wrap() {
        let mut numbers = Numbers::new();
        numbers.last = LOWEST_AGAIN - 1;
        assert_eq!(numbers.take(), Some(LOWEST_AGAIN));
        numbers.hold(LOWEST_AGAIN);
        numbers.release(LOWEST_AGAIN);
        numbers.last = NUMBER_LIMIT - 1;
        assert_eq!(numbers.take(), Some(LOWEST_AGAIN + 1));
    }

    #[test]
    fn a_number_that_every_holder_let_go_comes_again_after_the_wrap() {
        let mut numbers = Numbers::new();
        numbers.last = LOWEST_AGAIN - 1;
        assert_eq!(numbers.take(), Some(LOWEST_AGAIN));
        numbers.release(LOWEST_AGAIN);
        numbers.last = NUMBER_LIMIT - 1;
        assert_eq!(numbers.take(), Some(LOWEST_AGAIN));
    }
}
