//! Objects that have numbers, and perhaps keys.
//!
//! Invariant: a key is that of one object at most; a number comes again only after 65536 rounds through
//! the places; rounds are short, as Linux's are, so that lists stay short too.

use alloc::collections::BTreeMap;

/// A number is a place and how often places began anew.
const PLACES: u32 = 1 << 15;
/// So many may be allowed.
pub const MOST_OF_A_KIND: u64 = PLACES as u64;
const ROUNDS: u32 = 1 << 16;
/// A round has at least so many places.
const SHORTEST_ROUND: u32 = 64;

/// All objects of one kind.
pub struct Keyed<T> {
    objects: BTreeMap<u32, T>,
    numbers: BTreeMap<i32, i32>,
    next: u32,
    round: u32,
}

impl<T> Default for Keyed<T> {
    fn default() -> Self {
        Self::new()
    }
}

impl<T> Keyed<T> {
    pub const fn new() -> Self {
        Self { objects: BTreeMap::new(), numbers: BTreeMap::new(), next: 0, round: 0 }
    }

    /// Adds one; `None` when there are `most` already. Key 0 is none.
    pub fn add(&mut self, key: i32, most: u64, make: impl FnOnce(i32) -> T) -> Option<i32> {
        if self.objects.len() as u64 >= most.min(u64::from(PLACES)) {
            return None;
        }
        let place = self.free_place()?;
        if place < self.next {
            self.round = (self.round + 1) % ROUNDS;
        }
        self.next = place + 1;
        let number = i32::try_from(self.round * PLACES + place).ok()?;
        self.objects.insert(place, make(number));
        if key != 0 {
            self.numbers.insert(key, number);
        }
        Some(number)
    }

    /// The next place that is free, in rounds half as long again as there are objects.
    fn free_place(&self) -> Option<u32> {
        let objects = u32::try_from(self.objects.len()).ok()?;
        let places = (objects + objects / 2).clamp(SHORTEST_ROUND, PLACES);
        (self.next..places).chain(0..places).find(|place| !self.objects.contains_key(place))
    }

    pub fn number_of(&self, key: i32) -> Option<i32> {
        self.numbers.get(&key).copied()
    }

    /// Nobody finds this one by its key any more.
    pub fn forget_key(&mut self, key: i32, number: i32) {
        if self.numbers.get(&key) == Some(&number) {
            self.numbers.remove(&key);
        }
    }

    /// What stands at the place of a number; the caller compares the number.
    pub fn get(&mut self, number: i32) -> Option<&mut T> {
        self.at(u32::try_from(number).ok()? % PLACES)
    }

    pub fn at(&mut self, place: u32) -> Option<&mut T> {
        self.objects.get_mut(&place)
    }

    /// Takes out all that are not to stay.
    pub fn keep(&mut self, mut is_kept: impl FnMut(&T) -> bool) {
        self.objects.retain(|_, object| is_kept(object));
    }

    /// Takes out the one with this number, of which the caller knows that it is here.
    pub fn take(&mut self, number: i32) -> Option<T> {
        self.objects.remove(&(u32::try_from(number).ok()? % PLACES))
    }

    /// The first place from this one on that something stands at.
    pub fn next_place(&self, from: u32) -> Option<u32> {
        self.objects.range(from..).next().map(|(place, _)| *place)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_does_not_come_again_at_once() {
        let mut all = Keyed::new();
        let first = all.add(7, 10, |number| number);
        assert_eq!((first, all.number_of(7)), (Some(0), Some(0)));
        all.keep(|_| false);
        all.forget_key(7, 0);
        assert_eq!((all.add(7, 10, |number| number), all.add(0, 1, |number| number)), (Some(1), None));
    }

    #[test]
    fn a_place_that_comes_again_has_another_number() {
        let mut all = Keyed::new();
        for place in 0..64 {
            assert_eq!(all.add(0, 100, |number| number), Some(place));
            all.keep(|number| *number == 1);
        }
        assert_eq!(all.add(0, 100, |number| number), Some(1 << 15));
        assert_eq!((all.add(0, 100, |number| number), all.get(2)), (Some((1 << 15) + 2), Some(&mut ((1 << 15) + 2))));
    }

    #[test]
    fn all_places_are_given_out_and_no_more() {
        let mut all = Keyed::new();
        assert!((0..PLACES).all(|_| all.add(0, MOST_OF_A_KIND, |number| number).is_some()));
        assert_eq!(all.add(0, MOST_OF_A_KIND, |number| number), None);
    }
}
