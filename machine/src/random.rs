//! Random words: from the CPU where it has them, else from how long things take.
//!
//! Invariant: `word` always gives one, and says nothing of how good it is (`is_from_hardware` does). Never waits long.

use crate::clock::tsc;
use crate::cpu::features;
use core::arch::asm;
use sync::Published;

/// The manual asks for ten tries before `rdrand` counts as broken (SDM vol. 1, 7.3.17).
const TRIES: usize = 10;
const GOLDEN: u64 = 0x9e37_79b9_7f4a_7c15;

static POOL: Published<u64> = Published::<u64>::new(GOLDEN);

pub fn is_from_hardware() -> bool {
    let features = features::get();
    features.random || features.random_seed
}

fn seed() -> Option<u64> {
    let (word, good): (u64, u8);
    // SAFETY: the CPU has the instruction (asked by `word`); it only writes its register and the flags.
    unsafe { asm!("rdseed {}", "setc {}", out(reg) word, out(reg_byte) good, options(nomem, nostack)) };
    (good != 0).then_some(word)
}

fn random() -> Option<u64> {
    let (word, good): (u64, u8);
    // SAFETY: as above.
    unsafe { asm!("rdrand {}", "setc {}", out(reg) word, out(reg_byte) good, options(nomem, nostack)) };
    (good != 0).then_some(word)
}

/// The finishing step of SplitMix64.
const fn mix(mut word: u64) -> u64 {
    word = (word ^ (word >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    word = (word ^ (word >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    word ^ (word >> 31)
}

/// Low bits of the time that passes between readings, folded into a pool that never goes back.
fn from_time() -> u64 {
    let mut gathered = 0u64;
    for _ in 0..16 {
        gathered = gathered.rotate_left(5) ^ tsc::now();
        sync::cpu::relax();
    }
    mix(POOL.fetch_add(GOLDEN ^ mix(gathered)) ^ gathered)
}

/// A random word.
pub fn word() -> u64 {
    let features = features::get();
    let hardware =
        features.random_seed.then(seed).flatten().or_else(|| features.random.then(|| (0..TRIES).find_map(|_| random())).flatten());
    match hardware {
        Some(word) => word ^ mix(POOL.fetch_add(GOLDEN)),
        None => from_time(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    #[test]
    fn a_thousand_words_without_hardware_are_all_different() {
        let words: HashSet<u64> = (0..1000).map(|_| word()).collect();
        assert_eq!(words.len(), 1000);
    }
}
