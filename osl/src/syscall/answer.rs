//! What a handler gives back, as the one word that a program gets.
//!
//! Invariant: a successful answer is never mistaken for an error: handlers give back numbers that programs may see as they are.

use abi::Errno;

/// A result that fits the result register.
pub trait Answer {
    /// The word that the program sees.
    fn into_word(self) -> u64;
}

impl Answer for () {
    fn into_word(self) -> u64 {
        0
    }
}

impl Answer for u64 {
    fn into_word(self) -> u64 {
        self
    }
}

impl Answer for usize {
    fn into_word(self) -> u64 {
        u64::try_from(self).unwrap_or(u64::MAX)
    }
}

impl Answer for u32 {
    fn into_word(self) -> u64 {
        u64::from(self)
    }
}

impl Answer for i32 {
    fn into_word(self) -> u64 {
        i64::from(self).cast_unsigned()
    }
}

impl Answer for i64 {
    fn into_word(self) -> u64 {
        self.cast_unsigned()
    }
}

/// Turns what a handler gives back into what the table holds.
pub fn give<A: Answer>(result: Result<A, Errno>) -> Result<u64, Errno> {
    result.map(Answer::into_word)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_negative_int_keeps_its_sign_in_the_whole_word() {
        assert_eq!(give(Ok(-1_i32)), Ok(u64::MAX));
        assert_eq!(give(Ok(())), Ok(0));
    }
}
