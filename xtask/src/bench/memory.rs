//! `cargo xtask bench memory`: page faults, mappings and threads a second, by one worker and by more, each on a CPU of its own.
//!
//! Invariant: a ratio compares two measurements of one pass in one boot; what is told is the middle one of all passes.

use std::path::Path;
use std::time::Duration;

use super::{median, root_with};
use crate::build::{self, Messages, Profile};
use crate::comparison::Boot;
use crate::ending::Ending;
use crate::error::{Failure, Outcome};

pub const CPU_COUNTS: [u32; 3] = [1, 2, 4];
const PROGRAM: &str = "memory";
const PATIENCE: Duration = Duration::from_secs(600);

/// One work, shared or not: for each number of workers, operations a second pass by pass.
struct Row {
    name: String,
    cells: Vec<(usize, Vec<f64>)>,
}

pub fn memory(counts: &[u32], passes: usize) -> Outcome<u8> {
    let kernel = build::kernel(Profile::Release, Messages::Shown)?;
    let root = root_with(PROGRAM)?;
    println!("operations a second of all workers together, the middle one of {passes} passes; in brackets, how many times as many as");
    println!("half the workers do. separate: processes; shared: threads of one process. compute, sweep: no faults, what the host gives;");
    println!("map: a mapping made and taken away");
    for &cpus in counts {
        println!("\n{:<22} {}", format!("{cpus} CPUs"), heading(cpus));
        rows(&run(&kernel, &root, cpus, passes)?)?.iter().for_each(print);
    }
    Ok(0)
}

fn heading(cpus: u32) -> String {
    let widths = [1, 2, 4, 8, 16].into_iter().filter(|width| *width <= cpus);
    widths.map(|width| format!("{:>18}", format!("{width} at work"))).collect()
}

fn run(kernel: &Path, root: &Path, cpus: u32, passes: usize) -> Outcome<String> {
    let command = [format!("/tests/{PROGRAM}"), passes.to_string()];
    let boot =
        Boot { kernel, root: Some(root), disks: &[], cpus, memory: "1G", command: &command, append: "", input: &[], patience: PATIENCE };
    let booted = boot.run()?;
    if booted.remains.ending != Ending::Exited(0) {
        return Err(Failure::new(format!("with {cpus} CPUs {}", booted.story())));
    }
    Ok(String::from_utf8_lossy(&booted.output).into_owned())
}

fn rows(output: &str) -> Outcome<Vec<Row>> {
    let mut rows: Vec<Row> = Vec::new();
    for line in output.lines() {
        let words: Vec<&str> = line.split_whitespace().collect();
        let numbers = |width: &str, rate: &str| Some((width.parse::<usize>().ok()?, rate.parse::<f64>().ok()?));
        let parsed = match words[..] {
            [work, sharing, width, rate] => numbers(width, rate).map(|numbers| (format!("{work} {sharing}"), numbers)),
            _ => None,
        };
        let Some((name, (width, rate))) = parsed else { return Err(Failure::new(format!("the program said: {line}"))) };
        let row = match rows.iter_mut().position(|row| row.name == name) {
            Some(found) => &mut rows[found],
            None => {
                rows.push(Row { name, cells: Vec::new() });
                let last = rows.len() - 1;
                &mut rows[last]
            }
        };
        match row.cells.iter_mut().find(|(of, _)| *of == width) {
            Some((_, rates)) => rates.push(rate),
            None => row.cells.push((width, vec![rate])),
        }
    }
    Ok(rows)
}

fn print(row: &Row) {
    print!("{:<22}", row.name);
    for (place, (_, rates)) in row.cells.iter().enumerate() {
        let before = place.checked_sub(1).and_then(|place| row.cells.get(place));
        let ratio = before.map(|(_, before)| median(rates.iter().zip(before).map(|(rate, before)| rate / before).collect()));
        let rate = median(rates.clone());
        print!(" {:>17}", ratio.map_or_else(|| format!("{rate:.0}"), |ratio| format!("{rate:.0} ({ratio:.2})")));
    }
    println!();
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_passes_of_one_row_come_together_and_nonsense_is_told() {
        let rows = rows("fault shared 1 100\nfault shared 2 150\nfault shared 1 110\nfault shared 2 210\n").unwrap();
        assert_eq!(rows.len(), 1);
        assert_eq!(rows[0].cells, [(1, vec![100.0, 110.0]), (2, vec![150.0, 210.0])]);
        assert!(super::rows("fault shared\n").is_err());
    }
}
