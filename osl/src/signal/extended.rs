//! The floating-point and vector registers in a handler's frame: the processor's area with Linux's marks.
//!
//! ```text
//! 0 … 464 legacy area | 464 … 512 marks (magic, sizes, features) | 512 … size the rest | size … size + 4 closing magic
//! ```
//!
//! Invariant: pure. What a program hands back is cut or filled to the processor's size; its meaning is checked by whoever sets it.

use alloc::vec::Vec;

use abi::signal::{FP_XSTATE_MAGIC1, FP_XSTATE_MAGIC2};

const CONTROL_WORD: u16 = 0x37f;
const MXCSR: usize = 24;
const MXCSR_INITIAL: u32 = 0x1f80;
/// Invalid, denormal, division, overflow, underflow, precision.
const EXCEPTIONS: u32 = 0x3f;
const MARKS: usize = 464;
/// Bytes of the legacy area.
pub const LEGACY_BYTES: usize = 512;
const HEADER_END: usize = 576;
const MAGIC_BYTES: usize = 4;
/// The features that the legacy area holds.
const LEGACY_FEATURES: u64 = 3;

fn put(bytes: &mut [u8], at: usize, what: &[u8]) {
    if let Some(place) = bytes.get_mut(at..at + what.len()) {
        place.copy_from_slice(what);
    }
}

fn word<const N: usize>(bytes: &[u8], at: usize) -> Option<[u8; N]> {
    bytes.get(at..)?.first_chunk::<N>().copied()
}

/// The legacy area of a new program: nothing in it, all exceptions masked.
pub fn initial() -> [u8; LEGACY_BYTES] {
    let mut bytes = [0; LEGACY_BYTES];
    put(&mut bytes, 0, &CONTROL_WORD.to_le_bytes());
    put(&mut bytes, MXCSR, &MXCSR_INITIAL.to_le_bytes());
    bytes
}

/// The floating-point exceptions that stand unmasked: of the old unit, or of the vector unit.
pub fn raised(bytes: &[u8], of_vector_unit: bool) -> u32 {
    if of_vector_unit {
        let status = word(bytes, MXCSR).map_or(0, u32::from_le_bytes);
        status & !(status >> 7) & EXCEPTIONS
    } else {
        let control = word(bytes, 0).map_or(0, u16::from_le_bytes);
        let status = word(bytes, 2).map_or(0, u16::from_le_bytes);
        u32::from(status & !control) & EXCEPTIONS
    }
}

/// Which features the bytes hold.
fn features(bytes: &[u8]) -> u64 {
    word(bytes, LEGACY_BYTES).map_or(0, u64::from_le_bytes) | LEGACY_FEATURES
}

/// The bytes for a frame, from the processor's.
pub fn marked(mut bytes: Vec<u8>) -> Vec<u8> {
    let size = u32::try_from(bytes.len()).unwrap_or(0);
    let with_magic = size + MAGIC_BYTES as u32;
    let features = features(&bytes);
    put(&mut bytes, MARKS, &[0; LEGACY_BYTES - MARKS]);
    put(&mut bytes, MARKS, &FP_XSTATE_MAGIC1.to_le_bytes());
    put(&mut bytes, MARKS + 4, &with_magic.to_le_bytes());
    put(&mut bytes, MARKS + 8, &features.to_le_bytes());
    put(&mut bytes, MARKS + 16, &size.to_le_bytes());
    bytes.extend_from_slice(&FP_XSTATE_MAGIC2.to_le_bytes());
    bytes
}

/// How many bytes a frame's area has beyond the legacy ones, going by its marks; `None`: only the legacy ones count.
pub fn full_size(legacy: &[u8], own_size: usize) -> Option<usize> {
    let magic = word(legacy, MARKS).map(u32::from_le_bytes)?;
    let size = word(legacy, MARKS + 16).map(u32::from_le_bytes)?;
    let size = usize::try_from(size).ok()?;
    (magic == FP_XSTATE_MAGIC1 && (HEADER_END..=own_size).contains(&size)).then_some(size)
}

/// Whether the closing magic stands at the end of these bytes.
pub fn is_closed(end: &[u8]) -> bool {
    word(end, 0).map(u32::from_le_bytes) == Some(FP_XSTATE_MAGIC2)
}

/// The bytes for the processor from a frame's, `full` ones or only legacy ones.
pub fn unmarked(mut bytes: Vec<u8>, full: bool, own_size: usize) -> Vec<u8> {
    if !full {
        bytes.truncate(LEGACY_BYTES);
    }
    bytes.resize(own_size, 0);
    put(&mut bytes, MARKS, &[0; LEGACY_BYTES - MARKS]);
    if !full {
        put(&mut bytes, LEGACY_BYTES, &LEGACY_FEATURES.to_le_bytes());
    }
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::vec;

    #[test]
    fn what_is_marked_is_recognised_whole() {
        let marked = marked(vec![1; 832]);
        assert_eq!(marked.len(), 836);
        assert_eq!(full_size(&marked[..LEGACY_BYTES], 832), Some(832));
        assert!(is_closed(&marked[832..]));
    }

    #[test]
    fn bytes_without_marks_or_with_absurd_sizes_count_as_legacy() {
        assert_eq!(full_size(&[0; LEGACY_BYTES], 832), None);
        let mut lying = marked(vec![0; 832]);
        lying[MARKS + 16..MARKS + 20].copy_from_slice(&u32::MAX.to_le_bytes());
        assert_eq!(full_size(&lying[..LEGACY_BYTES], 832), None);
        lying[MARKS + 16..MARKS + 20].copy_from_slice(&100u32.to_le_bytes());
        assert_eq!(full_size(&lying[..LEGACY_BYTES], 832), None);
    }

    #[test]
    fn only_unmasked_exceptions_are_raised() {
        let mut bytes = initial();
        bytes[24] |= 0x04;
        assert_eq!(raised(&bytes, true), 0);
        bytes[25] &= !0x02;
        assert_eq!(raised(&bytes, true), 0x04);
        bytes[2] = 0x01;
        assert_eq!(raised(&bytes, false), 0);
        bytes[0] &= !0x01;
        assert_eq!(raised(&bytes, false), 0x01);
    }

    #[test]
    fn legacy_bytes_restore_only_what_they_hold() {
        let restored = unmarked(vec![9; 512], false, 832);
        assert_eq!(restored.len(), 832);
        assert_eq!(features(&restored), LEGACY_FEATURES);
        assert!(restored[520..].iter().all(|byte| *byte == 0));
    }
}
