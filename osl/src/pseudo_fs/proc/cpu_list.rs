//! Sets of CPUs as Linux prints them: `0-3,8` and `0000000f`.

use alloc::format;
use alloc::string::String;

use sync::CpuSet;

use super::task_text::append;

/// `0-1,3`; empty for the empty set.
pub fn ranges(set: CpuSet) -> String {
    let mut text = String::new();
    let bits = set.bits();
    let mut at = 0;
    while at < u64::BITS {
        let rest = bits >> at;
        if rest == 0 {
            break;
        }
        let first = at + rest.trailing_zeros();
        let length = (bits >> first).trailing_ones();
        let separator = if text.is_empty() { "" } else { "," };
        append(&mut text, format_args!("{separator}{first}"));
        if length > 1 {
            append(&mut text, format_args!("-{}", first + length - 1));
        }
        at = first + length;
    }
    text
}

/// Hexadecimal in groups of 32 bits, highest first.
pub fn mask(set: CpuSet) -> String {
    let bits = set.bits();
    let (high, low) = (bits >> 32, bits & 0xffff_ffff);
    if high == 0 { format!("{low:08x}") } else { format!("{high:08x},{low:08x}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn neighbours_become_one_range() {
        assert_eq!(ranges(CpuSet::from_bits(0b1011)), "0-1,3");
        assert_eq!(ranges(CpuSet::from_bits(1)), "0");
        assert_eq!(ranges(CpuSet::from_bits(u64::MAX)), "0-63");
        assert_eq!(ranges(CpuSet::from_bits(1 << 63)), "63");
        assert_eq!(ranges(CpuSet::EMPTY), "");
    }

    #[test]
    fn a_mask_is_printed_in_words_of_thirty_two_bits() {
        assert_eq!(mask(CpuSet::from_bits(0xb)), "0000000b");
        assert_eq!(mask(CpuSet::from_bits(1 << 32)), "00000001,00000000");
    }
}
