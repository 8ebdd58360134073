//! What the processor is and can do, as programs ask for it.
//!
//! Invariant: the same on every CPU; what the kernel has switched off is not shown as there.

use arrayvec::ArrayString;
use machine::cpu::features::cpuid;

const SIGNATURE: u32 = 1;
const FIRST_NAME_LEAF: u32 = 0x8000_0002;
const HIGHEST_EXTENDED: u32 = 0x8000_0000;

/// The words of features that a program finds in its auxiliary vector: the processor's own, and the kernel's extra
/// ones, of which there are none.
pub fn features() -> (u64, u64) {
    (u64::from(cpuid(SIGNATURE, 0).edx), 0)
}

/// Family, model, stepping.
pub fn signature() -> (u32, u32, u32) {
    split(cpuid(SIGNATURE, 0).eax)
}

fn split(word: u32) -> (u32, u32, u32) {
    let base_family = word >> 8 & 0xf;
    let family = if base_family == 0xf { base_family + (word >> 20 & 0xff) } else { base_family };
    let high_model = if base_family == 0xf || base_family == 6 { word >> 16 & 0xf } else { 0 };
    (family, high_model << 4 | word >> 4 & 0xf, word & 0xf)
}

/// Who made it.
pub fn vendor() -> ArrayString<12> {
    let leaf = cpuid(0, 0);
    text(&[leaf.ebx, leaf.edx, leaf.ecx])
}

/// What its maker calls it.
pub fn name() -> ArrayString<48> {
    if cpuid(HIGHEST_EXTENDED, 0).eax < FIRST_NAME_LEAF + 2 {
        return ArrayString::new();
    }
    let mut words = [0; 12];
    for (leaf, words) in words.chunks_mut(4).enumerate() {
        let answer = cpuid(FIRST_NAME_LEAF + leaf as u32, 0);
        words.copy_from_slice(&[answer.eax, answer.ebx, answer.ecx, answer.edx]);
    }
    text(&words)
}

/// Ticks of the time-stamp counter per second.
pub fn frequency() -> u64 {
    machine::clock::tsc::frequency()
}

fn text<const N: usize>(words: &[u32]) -> ArrayString<N> {
    let mut text = ArrayString::new();
    for byte in words.iter().flat_map(|word| word.to_le_bytes()).filter(|byte| (b' '..=b'~').contains(byte)) {
        // Each word has four bytes of `N`.
        let _ = text.try_push(char::from(byte));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_signature_splits_as_the_manual_says() {
        assert_eq!(split(0x0005_06e3), (6, 0x5e, 3));
        assert_eq!(split(0x0080_0f12), (0x17, 1, 2));
    }

    #[test]
    fn a_name_leaves_out_what_is_not_text() {
        assert_eq!(&text::<8>(&[u32::from_le_bytes(*b"AB\0C"), 0x0001_0a44])[..], "ABCD");
    }
}
