//! The tests that need no machine: each crate's own, on this host.

use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};
use std::time::Instant;

use crate::error::{Explain, Outcome};
use crate::places;
use crate::report::Report;

const CRATES: [&str; 7] = ["sync", "machine", "libkernel", "osl", "abi", "devices", "xtask"];

pub fn run(filters: &[String], report: &Report) -> Outcome<()> {
    for name in CRATES {
        one_crate(name, filters, report)?;
    }
    Ok(())
}

fn one_crate(name: &str, filters: &[String], report: &Report) -> Outcome<()> {
    let began = Instant::now();
    let mut cargo = cargo();
    cargo.args(["test", "--no-fail-fast", "--package", name, "--"]).args(filters);
    cargo.stdin(Stdio::null()).stdout(Stdio::piped());
    let mut child = cargo.spawn().explain("starting cargo test")?;
    let mut tally = Tally::default();
    if let Some(output) = child.stdout.take() {
        BufReader::new(output).lines().map_while(Result::ok).for_each(|line| tally.line(&line));
    }
    let finished = child.wait().explain("waiting for cargo test")?;
    if !finished.success() && tally.failed.is_empty() {
        tally.failed.push("does not build, or its tests were ended".into());
    }
    if !tally.failed.is_empty() {
        println!("{}", tally.kept.join("\n"));
    }
    report.suite(&format!("host {name}"), tally.passed, &tally.failed, began.elapsed());
    Ok(())
}

/// The host's cargo, with what this tool itself was started with taken out of the environment.
pub fn cargo() -> Command {
    let mut cargo = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    cargo.current_dir(places::workspace()).env_remove("LD_LIBRARY_PATH");
    cargo
}

/// How many tests passed in what a test runner printed, and the names of those that failed.
pub fn tally(text: &str) -> (usize, Vec<String>) {
    let mut tally = Tally::default();
    text.lines().for_each(|line| tally.line(line));
    (tally.passed, tally.failed)
}

/// What the test runner prints, understood line by line.
#[derive(Default)]
struct Tally {
    passed: usize,
    failed: Vec<String>,
    kept: Vec<String>,
}

impl Tally {
    fn line(&mut self, line: &str) {
        if let Some(test) = line.strip_prefix("test ").and_then(|rest| rest.strip_suffix(" ... FAILED")) {
            self.failed.push(test.to_owned());
        }
        if let Some(result) = line.strip_prefix("test result: ") {
            let passed = result.split_whitespace().zip(result.split_whitespace().skip(1));
            self.passed += passed.filter(|(_, word)| *word == "passed;").filter_map(|(n, _)| n.parse::<usize>().ok()).sum::<usize>();
        }
        let is_dull = line.is_empty() || line.ends_with("... ok") || line.starts_with("running ");
        if !is_dull && self.kept.len() < 400 {
            self.kept.push(line.to_owned());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn passed_and_failed_tests_are_counted_over_all_test_programs() {
        let mut tally = Tally::default();
        let output = "running 2 tests\ntest a::b ... ok\ntest a::c ... FAILED\n\
                      test result: FAILED. 1 passed; 1 failed; 0 ignored; 0 measured; 0 filtered out; finished in 0.00s\n\
                      test result: ok. 41 passed; 0 failed; 2 ignored; 0 measured; 0 filtered out; finished in 0.00s\n";
        output.lines().for_each(|line| tally.line(line));
        assert_eq!((tally.passed, tally.failed), (42, vec!["a::c".to_owned()]));
    }
}
