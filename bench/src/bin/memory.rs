//! How much memory work is done at once by one worker and by more: `memory [PASSES [WORK [SHARING]]]`.
//!
//! One line for each measurement: work, sharing, workers, operations a second. All are measured in turn, pass by pass, so that a
//! disturbance of the host does not meet one row alone.

use bench_programs::memory_work::{Compute, Fault, Map, MapTouched, SingleFault, Sweep, Thread};
use bench_programs::system::{cpus_online, fail};
use bench_programs::team::{Sharing, Work, throughput};

const SHARINGS: [(&str, Sharing); 2] = [("separate", Sharing::Separate), ("shared", Sharing::Shared)];

type Measure = fn(Sharing, usize) -> u64;
const WORKS: [(&str, Measure); 7] =
    [work::<Compute>(), work::<Sweep>(), work::<Fault>(), work::<SingleFault>(), work::<Map>(), work::<MapTouched>(), work::<Thread>()];

const fn work<W: Work>() -> (&'static str, Measure) {
    (W::NAME, throughput::<W>)
}

fn main() {
    let passes = std::env::args().nth(1).map_or(Ok(7), |word| word.parse::<usize>());
    let Ok(passes) = passes else { fail("how many passes?") };
    let wanted = |place: usize, name: &str| std::env::args().nth(place).is_none_or(|word| word == name);
    let widths: Vec<usize> = [1, 2, 4, 8, 16].into_iter().filter(|width| *width <= cpus_online()).collect();
    for _ in 0..passes {
        for (name, measure) in WORKS.into_iter().filter(|(name, _)| wanted(2, name)) {
            for (sharing_name, sharing) in SHARINGS.into_iter().filter(|(name, _)| wanted(3, name)) {
                for &width in &widths {
                    println!("{name} {sharing_name} {width} {}", measure(sharing, width));
                }
            }
        }
    }
}
