//! Load averages: how many threads ran or waited for a CPU, over the last 1, 5 and 15 minutes.
//!
//! Invariant: a sample is taken for every five seconds that have passed, whoever comes by first; no timer runs for it.

use super::queues::CPUS;
use sync::{Counter, SpinLock, order};

const EVERY_NS: u64 = 5_000_000_000;
/// One, in fixed point.
pub const UNIT: u64 = 1 << 11;
/// e^(-5/60), e^(-5/300), e^(-5/900), in fixed point.
const DECAYS: [u64; 3] = [1884, 2014, 2037];
/// More samples than this change nothing that could be seen.
const MOST_SAMPLES: u64 = 2000;

sync::shared_static! {
    static AVERAGES: SpinLock<[u64; 3], order::ThreadState> = SpinLock::new([0; 3]);
}
static NEXT: Counter = Counter::new(EVERY_NS);

/// Threads that run or wait for a CPU now.
pub fn runnable() -> u64 {
    CPUS.iter_online().map(|(_, cpu)| cpu.load()).sum()
}

/// Takes the samples that are due.
pub(super) fn sample(now: u64) {
    if now < NEXT.get() {
        return;
    }
    let Some(mut averages) = AVERAGES.try_lock() else { return };
    let next = NEXT.get();
    if now < next {
        return;
    }
    let missed = (now - next) / EVERY_NS + 1;
    NEXT.set(next + missed * EVERY_NS);
    *averages = after(*averages, runnable(), missed);
}

/// The averages after some samples of the same load.
fn after(averages: [u64; 3], load: u64, samples: u64) -> [u64; 3] {
    let mut averages = averages;
    for _ in 0..samples.min(MOST_SAMPLES) {
        for (average, decay) in averages.iter_mut().zip(DECAYS) {
            let target = load * UNIT;
            let round = if target >= *average { UNIT - 1 } else { 0 };
            *average = (*average * decay + target * (UNIT - decay) + round) / UNIT;
        }
    }
    averages
}

/// Over 1, 5 and 15 minutes, in units of `UNIT`.
pub fn load_averages() -> [u64; 3] {
    sample(crate::clock::now());
    *AVERAGES.lock_without_context()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_steady_load_becomes_the_average_and_none_fades_away() {
        let busy = after([0; 3], 4, MOST_SAMPLES);
        assert_eq!(busy, [4 * UNIT; 3]);
        assert_eq!(after(busy, 0, MOST_SAMPLES), [0; 3]);
    }

    #[test]
    fn one_minute_of_load_shows_most_in_the_shortest_average() {
        let [one, five, fifteen] = after([0; 3], 1, 12);
        assert!(one > five && five > fifteen && fifteen > 0);
        assert!((UNIT * 60 / 100..UNIT * 67 / 100).contains(&one), "{one}");
    }
}
