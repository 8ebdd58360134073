//! The kernel log as programs may read it: since it was cleared last, in whole lines.
//!
//! Invariant: clearing hides lines from programs; nothing is taken out of the log itself.

use alloc::vec::Vec;

use libkernel::log;
use sync::Counter;

const PIECE: usize = 1024;

/// Where the log begins for programs.
static CLEARED: Counter = Counter::new(0);

/// Everything that is kept and not cleared.
pub fn text() -> Vec<u8> {
    let mut text = Vec::new();
    let mut piece = [0; PIECE];
    let mut place = CLEARED.get();
    // Bounded, because others may write as fast as this reads.
    while text.len() < log::KEPT_BYTES {
        let (count, next) = log::read(place, &mut piece);
        let Some(bytes) = piece.get(..count).filter(|bytes| !bytes.is_empty()) else { break };
        text.extend_from_slice(bytes);
        place = next;
    }
    text
}

/// Hides what is in the log now.
pub fn clear() {
    let (_, end) = log::read(u64::MAX, &mut []);
    CLEARED.set(end);
}

/// The last whole lines that fit.
pub fn newest_lines(text: &[u8], length: usize) -> &[u8] {
    let Some(skipped) = text.len().checked_sub(length).filter(|&skipped| skipped > 0) else { return text };
    let tail = text.get(skipped..).unwrap_or(&[]);
    if text.get(skipped - 1) == Some(&b'\n') {
        return tail;
    }
    match tail.iter().position(|&byte| byte == b'\n') {
        Some(end) => tail.get(end + 1..).unwrap_or(&[]),
        None => &[],
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_short_buffer_gets_the_newest_whole_lines() {
        assert_eq!(newest_lines(b"one\ntwo\nthree\n", 8), b"three\n");
        assert_eq!(newest_lines(b"one\ntwo\nthree\n", 10), b"two\nthree\n");
        assert_eq!(newest_lines(b"one\n", 100), b"one\n");
        assert_eq!(newest_lines(b"onelongline", 3), b"");
    }
}
