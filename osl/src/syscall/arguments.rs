//! Arguments: the six words of a call, read as what the call means by them.
//!
//! Invariant: reading never fails; a word is cut to the width that Linux reads, and every check of its value is the handler's.

use libkernel::address_space::UserAddress;
use libkernel::address_space::user::UserSlice;
use libkernel::thread::registers::UserRegisters;

/// The six argument registers as they were at the door.
#[derive(Clone, Copy, Debug)]
pub struct Arguments([u64; 6]);

impl Arguments {
    /// The arguments of the call that the registers stand at.
    pub fn of(registers: &UserRegisters) -> Self {
        Self(core::array::from_fn(|index| registers.argument(index)))
    }

    /// Six words given directly.
    pub const fn new(words: [u64; 6]) -> Self {
        Self(words)
    }

    /// A whole word; an argument that does not exist reads as zero.
    pub fn word(&self, index: usize) -> u64 {
        self.0.get(index).copied().unwrap_or(0)
    }

    /// A word as a signed number (`off_t`, `long`).
    pub fn signed(&self, index: usize) -> i64 {
        self.word(index).cast_signed()
    }

    /// The low half as a signed number (`int`).
    pub fn int(&self, index: usize) -> i32 {
        self.unsigned(index).cast_signed()
    }

    /// The low half as an unsigned number (`unsigned int`).
    pub fn unsigned(&self, index: usize) -> u32 {
        let word = self.word(index) & u64::from(u32::MAX);
        u32::try_from(word).unwrap_or(u32::MAX)
    }

    /// A file descriptor.
    pub fn fd(&self, index: usize) -> i32 {
        self.int(index)
    }

    /// A number of bytes or of elements (`size_t`).
    pub fn count(&self, index: usize) -> usize {
        usize::try_from(self.word(index)).unwrap_or(usize::MAX)
    }

    /// A place in the program's memory, not looked at yet.
    pub fn address(&self, index: usize) -> UserAddress {
        UserAddress::new(self.word(index))
    }

    /// A place and a length in bytes.
    pub fn slice(&self, at: usize, length: usize) -> UserSlice {
        UserSlice::new(self.address(at), self.count(length))
    }
}

#[cfg(test)]
mod tests {
    use super::Arguments;

    #[test]
    fn an_int_is_the_low_half_of_its_word_with_its_sign() {
        let arguments = Arguments::new([0xdead_beef_ffff_ffff, 0x1_0000_0005, 0, 0, 0, 0]);
        assert_eq!(arguments.int(0), -1);
        assert_eq!(arguments.unsigned(0), u32::MAX);
        assert_eq!(arguments.fd(1), 5);
    }

    #[test]
    fn a_seventh_argument_reads_as_zero() {
        assert_eq!(Arguments::new([7; 6]).word(6), 0);
    }

    #[test]
    fn an_offset_keeps_all_its_bits() {
        assert_eq!(Arguments::new([u64::MAX, 0, 0, 0, 0, 0]).signed(0), -1);
        assert_eq!(Arguments::new([1 << 63, 0, 0, 0, 0, 0]).signed(0), i64::MIN);
    }
}
