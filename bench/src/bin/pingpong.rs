//! Round trips between two threads, by every way there is: `pingpong [ROUNDS [WAY or PLACEMENT...]]`.
//! ROUNDS 0: as many as take a while.
//!
//! One line for each measurement: way, placement, and per round trip nanoseconds of the best and of the middle batch, and time-stamp
//! ticks; or `not available`.

use bench_programs::course::{Measured, measure};
use bench_programs::native::{Channel, Notification, Port};
use bench_programs::placement::{ALL, Placement};
use bench_programs::system::fail;
use bench_programs::ways::{Epoll, Futex, Pipe};

type Measure = fn(Placement, Option<u64>) -> Option<Measured>;
const WAYS: [(&str, Measure); 6] = [
    ("channel", measure::<Channel>),
    ("futex", measure::<Futex>),
    ("pipe", measure::<Pipe>),
    ("eventfd+epoll", measure::<Epoll>),
    ("notification", measure::<Notification>),
    ("port", measure::<Port>),
];

/// How often all is measured where time counts: a disturbance of the host that lasts a while does not meet one row alone.
const PASSES: usize = 4;

fn is_way(word: &str) -> bool {
    WAYS.iter().any(|(name, _)| *name == word)
}

fn main() {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let rounds = words.first().map_or(Ok(0), |word| word.parse::<u64>());
    let Ok(rounds) = rounds else { fail("how many rounds?") };
    let rounds = (rounds > 0).then_some(rounds);
    let wanted = words.get(1..).unwrap_or_default();
    if let Some(word) = wanted.iter().find(|word| Placement::named(word).is_none() && !is_way(word)) {
        fail(&format!("{word} is no way and no placement"));
    }
    let placements: Vec<Placement> = wanted.iter().filter_map(|word| Placement::named(word)).collect();
    let placements = if placements.is_empty() { ALL.to_vec() } else { placements };
    let takes = |name: &str| !wanted.iter().any(|word| is_way(word)) || wanted.iter().any(|word| word == name);
    let ways: Vec<(&str, Measure)> = WAYS.into_iter().filter(|(name, _)| takes(name)).collect();
    let mut rows: Vec<Row> = Vec::new();
    for &(way, measure) in &ways {
        let possible = placements.iter().copied().filter(|placement| placement.is_possible());
        rows.extend(possible.map(|placement| Row { way, measure, placement, measured: None }));
    }
    for _ in 0..if rounds.is_some() { 1 } else { PASSES } {
        rows.iter_mut().for_each(|row| row.measure(rounds));
    }
    rows.iter().for_each(Row::print);
}

/// A line to be printed.
struct Row {
    way: &'static str,
    measure: Measure,
    placement: Placement,
    measured: Option<Measured>,
}

impl Row {
    fn measure(&mut self, rounds: Option<u64>) {
        let another = (self.measure)(self.placement, rounds);
        self.measured = match (self.measured, another) {
            (Some(one), Some(other)) => Some(one.less_disturbed(other)),
            (one, other) => other.or(one),
        };
    }

    fn print(&self) {
        let (way, placement) = (self.way, self.placement.name());
        match self.measured {
            Some(Measured { best_nanoseconds, nanoseconds, ticks }) => {
                println!("{way} {placement} {best_nanoseconds} {nanoseconds} {ticks}")
            }
            None => println!("{way} {placement} not available"),
        }
    }
}
