//! One measurement: two threads take turns, so often.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use crate::placement::Placement;
use crate::system::{fail, now, ticks};
use crate::ways::Way;

/// Rounds before the clock is read, for what the first ones only find out.
const WARM_UP: u64 = 20;
/// Rounds of the trial by which the others are planned.
const TRIAL: u64 = 50;
const BATCHES: u64 = 12;
/// How long a batch takes: short enough to go undisturbed now and then; where others are busy, long enough for all to have their turn.
const BATCH: Duration = Duration::from_millis(4);
const BUSY_BATCH: Duration = Duration::from_millis(30);
const MOST_ROUNDS: u64 = 10_000;

/// Per round trip.
#[derive(Clone, Copy, Debug)]
pub struct Measured {
    /// Of the best batch.
    pub best_nanoseconds: u64,
    /// Of the middle one.
    pub nanoseconds: u64,
    /// Of all, on average.
    pub ticks: u64,
}

impl Measured {
    /// Of two measurements of the same, the smaller numbers.
    pub fn less_disturbed(self, other: Self) -> Self {
        Self {
            best_nanoseconds: self.best_nanoseconds.min(other.best_nanoseconds),
            nanoseconds: self.nanoseconds.min(other.nanoseconds),
            ticks: self.ticks.min(other.ticks),
        }
    }
}

/// `rounds` of them, or as many as take a moment. `None` where the kernel does not have the way.
pub fn measure<W: Way>(placement: Placement, rounds: Option<u64>) -> Option<Measured> {
    let way = W::open()?;
    let (batches, rounds) = match rounds {
        Some(rounds) => (1, rounds),
        None => {
            let trial = run(&way, placement, 2, TRIAL).best_nanoseconds.max(1);
            let time = if placement.is_busy() { BUSY_BATCH } else { BATCH };
            (BATCHES, (u64::try_from(time.as_nanos()).unwrap_or(u64::MAX) / trial).clamp(10, MOST_ROUNDS))
        }
    };
    Some(run(&way, placement, batches, rounds))
}

fn run<W: Way>(way: &W, placement: Placement, batches: u64, rounds: u64) -> Measured {
    let is_over = AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            placement.enter(true);
            (0..WARM_UP + batches * rounds).for_each(|_| way.pong());
        });
        if placement.is_busy() {
            scope.spawn(|| {
                placement.enter(true);
                while !is_over.load(Ordering::Relaxed) {
                    std::hint::spin_loop();
                }
            });
        }
        // A thread of its own, too: how the first thread runs is not changed.
        let timed = scope.spawn(|| {
            placement.enter(false);
            (0..WARM_UP).for_each(|_| way.ping());
            let measured: Vec<(u64, u64)> = (0..batches).map(|_| batch(way, rounds)).collect();
            is_over.store(true, Ordering::Relaxed);
            summary(measured)
        });
        timed.join().unwrap_or_else(|_| fail("a thread panicked"))
    })
}

/// Nanoseconds and ticks per round.
fn batch(way: &impl Way, rounds: u64) -> (u64, u64) {
    let (began, first) = (now(), ticks());
    (0..rounds).for_each(|_| way.ping());
    let (last, ended) = (ticks(), now());
    (u64::try_from((ended - began).as_nanos()).unwrap_or(u64::MAX) / rounds, (last - first) / rounds)
}

fn summary(mut measured: Vec<(u64, u64)>) -> Measured {
    measured.sort_unstable();
    let ticks = measured.iter().map(|(_, ticks)| ticks).sum::<u64>() / measured.len() as u64;
    Measured { best_nanoseconds: measured[0].0, nanoseconds: measured[measured.len() / 2].0, ticks }
}
