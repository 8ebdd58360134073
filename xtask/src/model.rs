//! `cargo xtask model`: the interleavings of the protocols between CPUs, with loom, shuttle and Promela's spin.
//!
//! Invariant: each model has broken twins that must fail; a twin that passes is a failure here.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Instant;

use crate::error::{Explain, Failure, Outcome};
use crate::report::Report;
use crate::{host_tests, packages, places};

/// A model's first comment lines may hold `must fail: -DNAME`, one per twin, and `also: -DNAME` for a further run that must hold.
struct Run {
    defines: Vec<String>,
    must_hold: bool,
}

pub fn model() -> Outcome<u8> {
    let report = Report::default();
    interleavings("loom", &report)?;
    interleavings("shuttle", &report)?;
    for file in promela_files()? {
        promela(&file, &report)?;
    }
    Ok(report.close())
}

/// Whose tests explore; the crates below `models` take in the kernel's own files.
const PACKAGES: [&str; 7] =
    ["sync", "waiting_models", "scheduling_models", "personality_models", "objects_models", "futex_models", "memory_models"];

/// The models under one of the two explorers: each builds the crates with atomics of its own.
fn interleavings(explorer: &str, report: &Report) -> Outcome<()> {
    let began = Instant::now();
    let mut cargo = host_tests::cargo();
    cargo.args(["test", "--release", "--no-fail-fast", "--test", "*"]);
    PACKAGES.iter().for_each(|package| {
        cargo.args(["--package", package]);
    });
    cargo.args(["--", "--show-output"]);
    // Apart from the host's tests: other flags would otherwise build everything again each time.
    cargo.env("CARGO_TARGET_DIR", places::target().join(explorer));
    // The checks of rank and context are debug assertions, and twins must trip over them.
    cargo.env("CARGO_PROFILE_RELEASE_DEBUG_ASSERTIONS", "true");
    cargo.env("RUSTFLAGS", format!("--cfg {explorer}")).env_remove("CARGO_ENCODED_RUSTFLAGS");
    let preemptions = std::env::var("LOOM_MAX_PREEMPTIONS").ok().filter(|text| !text.is_empty());
    cargo.env("LOOM_MAX_PREEMPTIONS", preemptions.as_deref().unwrap_or("3"));
    cargo.stdin(Stdio::null()).stdout(Stdio::piped());
    let output = cargo.spawn().and_then(std::process::Child::wait_with_output).explain("starting cargo test")?;
    let text = String::from_utf8_lossy(&output.stdout);
    let (passed, mut failed) = host_tests::tally(&text);
    if !output.status.success() && failed.is_empty() {
        failed.push("does not build, or was ended".into());
    }
    if !failed.is_empty() {
        println!("{text}");
    }
    for line in text.lines().filter_map(|line| line.strip_prefix("model: ")) {
        println!("    {line}");
    }
    report.suite(explorer, passed, &failed, began.elapsed());
    Ok(())
}

fn promela_files() -> Outcome<Vec<PathBuf>> {
    let folder = places::workspace().join("tests/promela");
    if !folder.exists() {
        return Ok(Vec::new());
    }
    let entries = folder.read_dir().explain(format_args!("reading {}", folder.display()))?;
    let mut files: Vec<PathBuf> = entries.flatten().map(|entry| entry.path()).collect();
    files.retain(|file| file.extension().is_some_and(|end| end == "pml"));
    files.sort();
    Ok(files)
}

fn promela(file: &Path, report: &Report) -> Outcome<()> {
    let spin = packages::need_program("spin", "spin", "checking the Promela models")?;
    let compiler = packages::need_program("gcc", "gcc", "checking the Promela models")?;
    let text = std::fs::read_to_string(file).explain(format_args!("reading {}", file.display()))?;
    let stem = file.file_stem().unwrap_or_default().to_string_lossy().into_owned();
    for run in runs(&text) {
        let name = format!("promela {stem} {}", run.defines.join(" ")).trim_end().to_owned();
        let began = Instant::now();
        let folder = places::target().join("promela").join(name.replace(' ', "-"));
        let errors = explore(&spin, &compiler, file, &run.defines, &folder)?;
        match (errors, run.must_hold) {
            (0, true) | (1.., false) => report.passed(&name, began.elapsed()),
            (0, false) => report.failed(&name, began.elapsed(), "this twin is broken, and yet nothing was found"),
            (_, true) => report.failed(&name, began.elapsed(), "an error was found; its trail lies in target/promela"),
        }
    }
    Ok(())
}

/// The defines go to spin itself: behind `-run` they would go to the C compiler and silently check the default model.
fn explore(spin: &Path, compiler: &Path, file: &Path, defines: &[String], folder: &Path) -> Outcome<u64> {
    std::fs::create_dir_all(folder).explain("making a folder for the model")?;
    let step = |command: &mut Command| -> Outcome<String> {
        let output = command.current_dir(folder).stdin(Stdio::null()).output().explain("checking a model")?;
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        if output.status.success() {
            return Ok(text);
        }
        Err(Failure::new(format!("{}: {text}{}", file.display(), String::from_utf8_lossy(&output.stderr))))
    };
    step(Command::new(spin).arg("-a").args(defines).arg(file))?;
    let text = std::fs::read_to_string(file).explain(format_args!("reading {}", file.display()))?;
    // With a claim, pan looks for no deadlocks: so it runs once without the claim and once with it.
    let passes: &[&[&str]] = if text.contains("ltl ") { &[&["-DNOCLAIM"], &[]] } else { &[&[]] };
    let mut found = 0;
    for pass in passes {
        step(Command::new(compiler).args(["-O2", "-w", "-DVECTORSZ=2048", "-o", "pan", "pan.c"]).args(*pass))?;
        let mut pan = Command::new(folder.join("pan"));
        pan.args(["-m1000000", "-w24"]).args((passes.len() > 1 && pass.is_empty()).then_some("-a"));
        let said = step(&mut pan)?;
        found += errors(&said).ok_or_else(|| Failure::new(format!("{}: no verdict:\n{said}", file.display())))?;
    }
    Ok(found)
}

fn errors(text: &str) -> Option<u64> {
    let (_, rest) = text.split_once("errors: ")?;
    rest.split_whitespace().next()?.parse().ok()
}

fn runs(text: &str) -> Vec<Run> {
    let mut runs = vec![Run { defines: Vec::new(), must_hold: true }];
    for line in text.lines() {
        for (mark, must_hold) in [("must fail:", false), ("also:", true)] {
            if let Some((_, words)) = line.split_once(mark) {
                let words = words.trim_end_matches("*/").split_whitespace();
                let defines: Vec<String> = words.filter(|word| word.starts_with("-D")).map(str::to_owned).collect();
                if !defines.is_empty() {
                    runs.push(Run { defines, must_hold });
                }
            }
        }
    }
    runs
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_model_names_its_broken_twins() {
        let runs = runs("/* TLB\n * also: -DCPUS=3\n * must fail: -DNO_SERVE -DCPUS=3\n * must fail: -DLATE */\nproctype x() {}");
        let read: Vec<_> = runs.iter().map(|run| (run.defines.join(" "), run.must_hold)).collect();
        let expected = [("", true), ("-DCPUS=3", true), ("-DNO_SERVE -DCPUS=3", false), ("-DLATE", false)];
        assert_eq!(read, expected.map(|(words, holds)| (words.to_owned(), holds)));
    }

    #[test]
    fn the_verdict_of_pan_is_its_count_of_errors() {
        assert_eq!(errors("State-vector 84 byte, depth reached 92, errors: 0\n"), Some(0));
        assert_eq!(errors("pan: out of memory"), None);
    }
}
