//! The table of calls: a number leads to its call in one step.
//!
//! Invariant: the calls stand in the order of their numbers and no number stands twice; anything else does not build.

use super::call::Call;
use super::calls::CALLS;

pub use super::page::print_markdown;

/// Numbers run below this.
const NUMBERS: usize = 513;
const ABSENT: u16 = u16::MAX;

static PLACES: [u16; NUMBERS] = places(CALLS);

/// Which place in the table each number has; refuses to build a table that is out of order or says a number twice.
const fn places(calls: &[Call]) -> [u16; NUMBERS] {
    let mut places = [ABSENT; NUMBERS];
    let mut place = 0;
    while place < calls.len() {
        let number = calls[place].number as usize;
        assert!(number < NUMBERS, "a system call's number is too large for the table");
        assert!(places[number] == ABSENT, "a system call's number stands twice in the table");
        assert!(place == 0 || calls[place - 1].number < calls[place].number, "the table is out of order");
        places[number] = place as u16;
        place += 1;
    }
    places
}

/// The call with this number.
pub fn find(number: u64) -> Option<&'static Call> {
    let place = *PLACES.get(usize::try_from(number).ok()?)?;
    CALLS.get(usize::from(place))
}

#[cfg(test)]
mod tests {
    use super::super::call::{Completeness, call};
    use super::super::{Arguments, Caller};
    use super::*;
    use abi::Errno;

    fn nothing(_: &mut Caller<'_>, _: &Arguments) -> Result<u64, Errno> {
        Ok(0)
    }

    const fn numbered(number: u16) -> Call {
        call(number, "x", Completeness::Full, nothing)
    }

    #[test]
    fn every_call_is_found_by_its_number() {
        for call in CALLS {
            assert!(find(u64::from(call.number)).is_some_and(|found| found.name == call.name));
        }
    }

    #[test]
    fn a_number_without_a_call_is_not_found() {
        for number in [500, 513, 1 << 32, u64::MAX] {
            assert!(find(number).is_none());
        }
    }

    #[test]
    #[should_panic(expected = "stands twice")]
    fn a_number_cannot_stand_twice() {
        places(&[numbered(1), numbered(1)]);
    }

    #[test]
    #[should_panic(expected = "out of order")]
    fn the_table_cannot_be_out_of_order() {
        places(&[numbered(2), numbered(1)]);
    }

    #[test]
    fn no_name_stands_twice() {
        let mut names: alloc::vec::Vec<&str> = CALLS.iter().map(|call| call.name).collect();
        names.sort_unstable();
        assert!(names.windows(2).all(|pair| pair[0] != pair[1]));
    }

    #[test]
    fn well_known_calls_have_their_well_known_numbers() {
        use abi::number as known;
        for (number, name) in [
            (known::__NR_read, "read"),
            (known::__NR_rt_sigreturn, "rt_sigreturn"),
            (known::__NR_clone, "clone"),
            (known::__NR_execve, "execve"),
            (known::__NR_futex, "futex"),
            (known::__NR_getrandom, "getrandom"),
            (known::__NR_membarrier, "membarrier"),
        ] {
            assert!(find(u64::from(number)).is_some_and(|call| call.name == name), "{name}");
        }
    }
}
