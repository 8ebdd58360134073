//! One measurement: two threads take turns, so often.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use crate::placement::Placement;
use crate::system::{now, ticks};
use crate::ways::Way;

/// Rounds before the clock is read, for what the first ones only find out.
const WARM_UP: u64 = 20;
/// Rounds of the trial by which the others are planned.
const TRIAL: u64 = 50;
const MOST_ROUNDS: u64 = 200_000;

/// Per round trip.
#[derive(Clone, Copy, Debug)]
pub struct Measured {
    pub nanoseconds: u64,
    pub ticks: u64,
}

/// `rounds` of them, or as many as take about `time`. `None` where the kernel does not have the way.
pub fn measure<W: Way>(placement: Placement, rounds: Option<u64>, time: Duration) -> Option<Measured> {
    let way = W::open()?;
    let rounds = rounds.unwrap_or_else(|| {
        let trial = run(&way, placement, TRIAL).nanoseconds.max(1);
        (u64::try_from(time.as_nanos()).unwrap_or(u64::MAX) / trial).clamp(TRIAL, MOST_ROUNDS)
    });
    Some(run(&way, placement, rounds))
}

fn run<W: Way>(way: &W, placement: Placement, rounds: u64) -> Measured {
    let is_over = AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            placement.enter(true);
            (0..WARM_UP + rounds).for_each(|_| way.pong());
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
            let (began, first) = (now(), ticks());
            (0..rounds).for_each(|_| way.ping());
            let (last, ended) = (ticks(), now());
            is_over.store(true, Ordering::Relaxed);
            let nanoseconds = u64::try_from((ended - began).as_nanos()).unwrap_or(u64::MAX);
            Measured { nanoseconds: nanoseconds / rounds, ticks: (last - first) / rounds }
        });
        timed.join().unwrap_or(Measured { nanoseconds: u64::MAX, ticks: u64::MAX })
    })
}
