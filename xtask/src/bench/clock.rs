//! `cargo xtask bench clock`: guest instructions for a look at the clock, with a system call and as libraries do it.
//!
//! Invariant: the numbers are counted (`counting`), so two runs of one kernel tell the same.

use super::{counting, root_with};
use crate::build::{self, Messages, Profile};
use crate::error::{Failure, Outcome};

/// How often each is asked.
const CALLS: &str = "10000";

pub fn clock() -> Outcome<u8> {
    let kernel = build::kernel(Profile::Release, Messages::Shown)?;
    let root = root_with("clock")?;
    let output = counting::run(&kernel, &root, "512M", "/tests/clock", CALLS)?;
    let text = String::from_utf8_lossy(&output);
    let rows = rows(&text).ok_or_else(|| Failure::new(format!("the program said: {text}")))?;
    println!("guest instructions for each, loop and all: as the C library does it, and by the system call");
    for (name, [library, call]) in rows {
        println!("{name:<16} {library:>8} {call:>8}");
    }
    Ok(0)
}

/// Two lines of the program are a row: the library's way and the call.
fn rows(text: &str) -> Option<Vec<(&str, [u64; 2])>> {
    let lines: Vec<Vec<&str>> = text.lines().map(|line| line.split_whitespace().collect()).collect();
    let row = |pair: &[Vec<&'_ str>]| match pair {
        [library, call] => match (library.as_slice(), call.as_slice()) {
            ([_, "library", library], [_, "call", call]) => Some([library.parse().ok()?, call.parse().ok()?]),
            _ => None,
        },
        _ => None,
    };
    let names = text.lines().step_by(2).filter_map(|line| line.split_whitespace().next());
    let rows: Vec<_> = names.zip(lines.chunks(2)).map(|(name, pair)| Some((name, row(pair)?))).collect::<Option<_>>()?;
    (!rows.is_empty()).then_some(rows)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_lines_are_a_row_and_less_is_none() {
        assert_eq!(rows("getcpu library 30\ngetcpu call 400\n"), Some(vec![("getcpu", [30, 400])]));
        assert!(rows("").is_none() && rows("getcpu library 30\n").is_none() && rows("panic\nat\n").is_none());
    }
}
