//! `cargo xtask bench pingpong`: what a round trip between two threads costs, by every way there is: time at several CPU counts, and
//! guest instructions on one CPU.
//!
//! Invariant: a row of the table is one way in one placement, in the program's own order.

mod donation;

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use super::{counting, root_with};
use crate::build::{self, Messages, Profile};
use crate::comparison::Boot;
use crate::ending::Ending;
use crate::error::{Failure, Outcome};

pub const CPU_COUNTS: [u32; 3] = [1, 2, 4];
const PROGRAM: &str = "/tests/pingpong";
/// Round trips of which the instructions are counted.
const COUNTED_ROUNDS: &str = "2000";
const MEMORY: &str = "512M";
const PATIENCE: Duration = Duration::from_secs(300);

/// By way and placement: nanoseconds of the best and of the middle batch, ticks of all on average.
type Table = BTreeMap<(usize, String, String), Option<[u64; 3]>>;

pub fn pingpong(counts: &[u32]) -> Outcome<u8> {
    let kernel = build::kernel(Profile::Release, Messages::Shown)?;
    let root = root_with("pingpong")?;
    println!("donated, queued: both on one CPU, with donation or (as SCHED_BATCH) through its queue; busy: beside a third thread there");
    println!("cross: each on a CPU of its own; free, free-queued: wherever the kernel puts them, with donation or without");
    println!("\nguest instructions for each round trip, one CPU");
    print(&[(String::from("instructions"), counted(&kernel, &root)?)], |_, [_, _, ticks]| ticks);
    let mut timed = Vec::new();
    for &cpus in counts {
        timed.push((format!("{cpus} CPUs"), boot(&kernel, &root, cpus)?));
    }
    println!(
        "\nnanoseconds for each round trip, of several passes the least disturbed: the best batch; where others are busy, the middle one"
    );
    print(&timed, time);
    donation::print(&timed);
    Ok(0)
}

/// What is told of a measurement: where the third thread comes in between now and then, a batch without that would be luck.
const fn time(is_busy: bool, [best, middle, _]: [u64; 3]) -> u64 {
    if is_busy { middle } else { best }
}

fn boot(kernel: &Path, root: &Path, cpus: u32) -> Outcome<Table> {
    let command = [PROGRAM, "0"].map(str::to_owned);
    let boot =
        Boot { kernel, root: Some(root), disks: &[], cpus, memory: MEMORY, command: &command, append: "", input: &[], patience: PATIENCE };
    let booted = boot.run()?;
    if booted.remains.ending != Ending::Exited(0) {
        return Err(Failure::new(format!("with {cpus} CPUs {}", booted.story())));
    }
    table(&booted.output)
}

fn counted(kernel: &Path, root: &Path) -> Outcome<Table> {
    table(&counting::run(kernel, root, MEMORY, PROGRAM, COUNTED_ROUNDS)?)
}

fn table(output: &[u8]) -> Outcome<Table> {
    let text = String::from_utf8_lossy(output);
    let rows = text.lines().enumerate().map(|(number, line)| {
        let words: Vec<&str> = line.split_whitespace().collect();
        let [way, placement, rest @ ..] = &words[..] else { return None };
        let numbers: Vec<u64> = rest.iter().filter_map(|word| word.parse().ok()).collect();
        Some(((number, (*way).to_owned(), (*placement).to_owned()), <[u64; 3]>::try_from(numbers).ok()))
    });
    let rows: Option<Table> = rows.collect();
    rows.filter(|rows| !rows.is_empty()).ok_or_else(|| Failure::new(format!("the program said: {text}")))
}

/// Ways down, and for each run the placements across.
fn print(runs: &[(String, Table)], choose: impl Fn(bool, [u64; 3]) -> u64) {
    for (name, table) in runs {
        let mut placements: Vec<&String> = Vec::new();
        let mut ways: Vec<&String> = Vec::new();
        for (_, way, placement) in table.keys() {
            if !placements.contains(&placement) {
                placements.push(placement);
            }
            if !ways.contains(&way) {
                ways.push(way);
            }
        }
        print!("{name:<14}");
        placements.iter().for_each(|placement| print!(" {placement:>13}"));
        println!();
        for way in ways {
            print!("{way:<14}");
            for placement in &placements {
                let found = table.iter().find(|((_, of, at), _)| of == way && at == *placement);
                let cell = found.and_then(|(_, numbers)| *numbers).map(|numbers| choose(placement.ends_with("busy"), numbers));
                print!(" {:>13}", cell.map_or_else(|| "not there".to_owned(), |cell| cell.to_string()));
            }
            println!();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_programs_lines_become_rows_in_their_order() {
        let rows = table(b"pipe donated 1 2 3\nchannel free not available\n").unwrap();
        let rows: Vec<_> = rows.into_iter().collect();
        assert_eq!(rows[0], ((0, "pipe".into(), "donated".into()), Some([1, 2, 3])));
        assert_eq!(rows[1].1, None);
        assert!(table(b"").is_err() && table(b"nonsense\n").is_err());
    }
}
