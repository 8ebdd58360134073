//! The futex call: what its numbers ask for.
//!
//! Invariant: a wait with a deadline may be repeated as it is; one with a time span may not, and then says `EINTR`.

use alloc::sync::Arc;

use abi::Errno;
use abi::constant::*;
use libkernel::address_space::UserAddress;
use sync::TaskContext;

use super::change::Change;
use super::condition;
use super::hand_over::unlock;
use super::lock::lock;
use super::owner::{Owner, Population};
use super::until::Until;
use super::wait::{Wish, wait};
use super::wake::{ALL_BITS, Two, requeue, wake, wake_and_change};

/// What the operation word says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Operation {
    /// The command, without its flags.
    pub command: u32,
    /// Only threads of this memory are concerned.
    pub is_private: bool,
    /// A deadline is by the wall clock.
    pub by_wall_clock: bool,
}

impl Operation {
    /// Takes the word apart.
    pub fn decode(word: u32) -> Self {
        let flags = FUTEX_PRIVATE_FLAG | FUTEX_CLOCK_REALTIME;
        Self { command: word & !flags, is_private: word & FUTEX_PRIVATE_FLAG != 0, by_wall_clock: word & FUTEX_CLOCK_REALTIME != 0 }
    }

    /// Only a deadline can be by the wall clock.
    fn check(self) -> Result<Self, Errno> {
        let takes_a_clock = matches!(self.command, FUTEX_WAIT_BITSET | FUTEX_WAIT_REQUEUE_PI | FUTEX_LOCK_PI2);
        if self.by_wall_clock && !takes_a_clock { Err(Errno::ENOSYS) } else { Ok(self) }
    }
}

/// The six words of a call, by their names in `futex(2)`.
#[derive(Clone, Copy, Debug)]
pub struct Words {
    /// `uaddr`.
    pub address: UserAddress,
    /// `futex_op`.
    pub operation: u32,
    /// `val`.
    pub value: u32,
    /// `timeout` or `val2`.
    pub fourth: u64,
    /// `uaddr2`.
    pub second: UserAddress,
    /// `val3`.
    pub third: u32,
}

/// As `futex(2)`.
pub fn call(cx: &mut TaskContext, me: &Arc<Owner>, words: Words, population: Population) -> Result<u64, Errno> {
    let operation = Operation::decode(words.operation).check()?;
    let Words { address, value, fourth, third, .. } = words;
    let is_private = operation.is_private;
    let answer = match operation.command {
        FUTEX_WAIT => return wait_for(cx, me, words, operation, ALL_BITS).map(|()| 0),
        FUTEX_WAIT_BITSET => return wait_for(cx, me, words, operation, third).map(|()| 0),
        FUTEX_WAKE => wake(cx, address, is_private, ALL_BITS, at_least_one(value))?,
        FUTEX_WAKE_BITSET => wake(cx, address, is_private, third, at_least_one(value))?,
        FUTEX_REQUEUE => requeue(cx, two(words, is_private, (counted(value)?, counted(low_half(fourth))?)), None)?,
        FUTEX_CMP_REQUEUE => requeue(cx, two(words, is_private, (counted(value)?, counted(low_half(fourth))?)), Some(third))?,
        FUTEX_WAKE_OP => {
            let counts = (at_least_one(value), at_least_one(low_half(fourth)));
            wake_and_change(cx, two(words, is_private, counts), Change::decode(third)?)?
        }
        FUTEX_CMP_REQUEUE_PI => {
            let two = two(words, is_private, (counted(value)?, counted(low_half(fourth))?));
            condition::requeue(cx, two, third, population)?
        }
        _ => return own(cx, me, words, operation, population).map(|()| 0),
    };
    Ok(answer as u64)
}

/// The operations on words that are locks.
fn own(cx: &mut TaskContext, me: &Arc<Owner>, words: Words, operation: Operation, population: Population) -> Result<(), Errno> {
    let word = (words.address, operation.is_private);
    let (by_wall_clock, fourth) = (operation.by_wall_clock, words.fourth);
    match operation.command {
        FUTEX_LOCK_PI | FUTEX_LOCK_PI2 => {
            let by_wall_clock = by_wall_clock || operation.command == FUTEX_LOCK_PI;
            let until = Until::moment(cx, fourth, by_wall_clock)?;
            lock(cx, me, word, until, false, population)
        }
        FUTEX_TRYLOCK_PI => lock(cx, me, word, Until::Never, true, population),
        FUTEX_UNLOCK_PI => unlock(cx, me, word),
        FUTEX_WAIT_REQUEUE_PI => {
            let until = Until::moment(cx, fourth, by_wall_clock)?;
            let wish = Wish { address: words.address, value: words.value, bits: ALL_BITS, is_private: operation.is_private };
            condition::wait(cx, me, wish, until, words.second)
        }
        _ => Err(Errno::ENOSYS),
    }
}

fn two(words: Words, is_private: bool, (woken, second): (usize, usize)) -> Two {
    Two { words: [(words.address, is_private), (words.second, is_private)], woken, second }
}

fn low_half(word: u64) -> u32 {
    u32::try_from(word & u64::from(u32::MAX)).unwrap_or(0)
}

/// A wake's count is an `int`, and looked at after each one that it woke.
fn at_least_one(value: u32) -> usize {
    usize::try_from(value.cast_signed()).unwrap_or(0).max(1)
}

fn counted(value: u32) -> Result<usize, Errno> {
    usize::try_from(value.cast_signed()).map_err(|_| Errno::EINVAL)
}

fn wait_for(cx: &mut TaskContext, me: &Owner, words: Words, operation: Operation, bits: u32) -> Result<(), Errno> {
    let is_span = operation.command == FUTEX_WAIT;
    let until = if is_span { Until::span(cx, words.fourth)? } else { Until::moment(cx, words.fourth, operation.by_wall_clock)? };
    let wish = Wish { address: words.address, value: words.value, bits, is_private: operation.is_private };
    let interrupted = match (until, is_span) {
        (Until::Never, _) => Errno::ERESTARTSYS,
        (_, true) => Errno::EINTR,
        (_, false) => Errno::ERESTARTNOHAND,
    };
    wait(cx, me, wish, until).map_err(|error| if error == Errno::EINTR { interrupted } else { error })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn flags_are_told_from_the_command() {
        let operation = Operation::decode(FUTEX_WAIT_BITSET | FUTEX_PRIVATE_FLAG | FUTEX_CLOCK_REALTIME);
        assert_eq!(operation, Operation { command: FUTEX_WAIT_BITSET, is_private: true, by_wall_clock: true });
    }

    #[test]
    fn a_clock_goes_with_a_deadline_only() {
        assert_eq!(Operation::decode(FUTEX_WAIT | FUTEX_CLOCK_REALTIME).check(), Err(Errno::ENOSYS));
        assert!(Operation::decode(FUTEX_WAIT_BITSET | FUTEX_CLOCK_REALTIME).check().is_ok());
    }

    #[test]
    fn a_negative_count_is_one_for_a_wake_and_refused_for_a_move() {
        assert_eq!(at_least_one(u32::MAX), 1);
        assert_eq!(at_least_one(3), 3);
        assert_eq!(counted(u32::MAX), Err(Errno::EINVAL));
    }
}
