//! Random bytes, from the machine's source, stretched by a generator that is never rewound.
//!
//! Invariant: two calls never give the same stream: the state moves on before a byte is handed out.

use machine::random;
use sync::Published;

static STATE: Published<u64> = Published::<u64>::new(0);

const GOLDEN: u64 = 0x9e37_79b9_7f4a_7c15;

/// One step of SplitMix64 over a word of the machine's own randomness.
fn word() -> u64 {
    let mut mixed = STATE.fetch_add(GOLDEN).wrapping_add(GOLDEN) ^ random::word();
    mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    mixed ^ (mixed >> 31)
}

/// Fills `bytes`. Never waits.
pub fn fill(bytes: &mut [u8]) {
    for chunk in bytes.chunks_mut(size_of::<u64>()) {
        chunk.copy_from_slice(&word().to_ne_bytes()[..chunk.len()]);
    }
}

/// One random word.
pub fn number() -> u64 {
    word()
}
