//! FUTEX_WAKE_OP's word: a change of a futex, and a question about what it was.
//!
//! Invariant: every 32 bits decode to a change, or to `ENOSYS`.

use abi::Errno;
use abi::constant::*;

/// A change of a word and a question about what it was.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Change {
    operation: u32,
    operand: i32,
    comparison: u32,
    compared: i32,
}

impl Change {
    /// Takes the word apart.
    pub fn decode(word: u32) -> Result<Self, Errno> {
        let signed = |bits: u32| (bits << 20).cast_signed() >> 20;
        let (operation, comparison) = ((word >> 28) & 7, (word >> 24) & 15);
        let mut operand = signed((word >> 12) & 0xfff);
        if word & (FUTEX_OP_OPARG_SHIFT << 28) != 0 {
            operand = 1i32.wrapping_shl(operand.cast_unsigned() & 31);
        }
        if operation > FUTEX_OP_XOR || comparison > FUTEX_OP_CMP_GE {
            return Err(Errno::ENOSYS);
        }
        Ok(Self { operation, operand, comparison, compared: signed(word & 0xfff) })
    }

    /// What the word becomes.
    pub fn apply(self, old: u32) -> u32 {
        let operand = self.operand.cast_unsigned();
        match self.operation {
            FUTEX_OP_SET => operand,
            FUTEX_OP_ADD => old.wrapping_add(operand),
            FUTEX_OP_OR => old | operand,
            FUTEX_OP_ANDN => old & !operand,
            _ => old ^ operand,
        }
    }

    /// Whether the answer about the old value is yes.
    pub fn holds(self, old: u32) -> bool {
        let old = old.cast_signed();
        match self.comparison {
            FUTEX_OP_CMP_EQ => old == self.compared,
            FUTEX_OP_CMP_NE => old != self.compared,
            FUTEX_OP_CMP_LT => old < self.compared,
            FUTEX_OP_CMP_LE => old <= self.compared,
            FUTEX_OP_CMP_GT => old > self.compared,
            _ => old >= self.compared,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_change_is_decoded_with_its_signs() {
        let word = (FUTEX_OP_ADD << 28) | (FUTEX_OP_CMP_GT << 24) | (0xfff << 12) | 0xffe;
        let change = Change::decode(word).unwrap();
        assert_eq!((change.operand, change.compared), (-1, -2));
        assert_eq!(change.apply(5), 4);
        assert!(change.holds(0) && !change.holds(u32::MAX - 1));
    }

    #[test]
    fn an_operand_may_be_a_bit_number() {
        let word = ((FUTEX_OP_OPARG_SHIFT | FUTEX_OP_OR) << 28) | (4 << 12);
        assert_eq!(Change::decode(word).unwrap().apply(1), 17);
    }

    #[test]
    fn an_unknown_change_is_refused() {
        assert_eq!(Change::decode(7 << 28), Err(Errno::ENOSYS));
        assert_eq!(Change::decode(9 << 24), Err(Errno::ENOSYS));
    }
}
