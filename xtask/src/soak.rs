//! `cargo xtask soak [FILTER]`: programs that find out whether anything is lost, on a kernel that disturbs itself.
//!
//! Invariant: a run is named by its seed, its count of CPUs and its program, and nothing else decides what is disturbed in it.

mod evidence;
mod shaken;

use std::collections::VecDeque;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use crate::arguments::Arguments;
use crate::build::{self, Messages, Profile};
use crate::error::{Explain, Failure, Outcome};
use crate::machine::parse_cpus;
use crate::programs::{self, Subject};
use crate::report::Report;
use crate::root::{self, Extra};

/// Programs of `tests/linux` and `tests/native` with such a name take how long and which seed as their arguments.
const PREFIX: &str = "soak_";
const CPU_COUNTS: [u32; 4] = [2, 4, 8, 16];

/// One boot: what it is named by, and how long its program is to go on.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Run {
    seed: u64,
    cpus: u32,
    program: String,
    seconds: u64,
}

struct Plan {
    seeds: u64,
    first_seed: u64,
    cpus: Vec<u32>,
    /// For each seed at each count of CPUs, shared among the programs.
    seconds: u64,
    until: Option<Instant>,
    jobs: u64,
    is_deterministic: bool,
    /// A program that has said nothing for so long stands still: it says several times a second that it goes on.
    silence: Duration,
    /// The mistake that the kernel makes on purpose, by its number.
    twin: Option<u64>,
}

pub fn soak(words: Vec<OsString>) -> Outcome<u8> {
    let options = ["seeds", "first-seed", "cpus", "seconds", "minutes", "jobs", "kernel", "silence", "twin"];
    let arguments = Arguments::parse(words, &options, &["deterministic"])?;
    arguments.no_program()?;
    let plan = Plan::of(&arguments)?;
    let takes =
        |subject: &Subject| arguments.words.is_empty() || arguments.words.iter().any(|filter| subject.name.contains(filter.as_str()));
    let subjects: Vec<Subject> =
        programs::subjects()?.into_iter().filter(|subject| name(subject).starts_with(PREFIX) && takes(subject)).collect();
    let names: Vec<String> = subjects.iter().map(name).collect();
    if names.is_empty() {
        return Err(Failure::usage("no soak program has such a name"));
    }
    programs::build()?;
    let kernel = match arguments.option("kernel") {
        Some(ready) => PathBuf::from(ready),
        None => build::kernel(Profile::Chaos, Messages::Shown)?,
    };
    let root = packed(&subjects)?;
    println!(
        "seeds {} to {}, {:?} CPUs, {} s each: {}",
        plan.first_seed,
        plan.first_seed + plan.seeds.saturating_sub(1),
        plan.cpus,
        plan.seconds,
        names.join(", ")
    );
    Ok(plan.carry_out(&names, &kernel, &root))
}

fn name(subject: &Subject) -> String {
    subject.name.rsplit('/').next().unwrap_or_default().to_owned()
}

impl Plan {
    fn of(arguments: &Arguments) -> Outcome<Self> {
        let number = |option: &str, default: u64| match arguments.option(option) {
            Some(text) => text.parse().map_err(|_| Failure::usage(format!("--{option} needs a number, not {text}"))),
            None => Ok(default),
        };
        let cpus = match arguments.option("cpus") {
            Some(list) => list.split(',').map(parse_cpus).collect::<Outcome<Vec<_>>>()?,
            None => CPU_COUNTS.to_vec(),
        };
        let minutes = number("minutes", 0)?;
        Ok(Plan {
            seeds: number("seeds", 4)?,
            first_seed: number("first-seed", 1)?,
            cpus,
            seconds: number("seconds", 10)?,
            until: (minutes > 0).then(|| Instant::now() + Duration::from_secs(60 * minutes)),
            jobs: number("jobs", 1)?,
            silence: Duration::from_secs(number("silence", 60)?),
            twin: arguments.option("twin").map(|_| number("twin", 0)).transpose()?,
            is_deterministic: arguments.flag("deterministic"),
        })
    }

    /// Seed by seed, so that a soak that is ended early has seen every program and every count.
    fn runs(&self, programs: &[String]) -> VecDeque<Run> {
        let seconds = (self.seconds / programs.len().max(1) as u64).max(1);
        let mut runs = VecDeque::new();
        for seed in self.first_seed..self.first_seed.saturating_add(self.seeds) {
            for &cpus in &self.cpus {
                runs.extend(programs.iter().map(|program| Run { seed, cpus, program: program.clone(), seconds }));
            }
        }
        runs
    }

    fn carry_out(&self, programs: &[String], kernel: &Path, root: &Path) -> u8 {
        let report = Report::default();
        let runs = Mutex::new(self.runs(programs));
        let in_time = || self.until.is_none_or(|until| Instant::now() < until);
        std::thread::scope(|scope| {
            for _ in 0..self.jobs.max(1) {
                scope.spawn(|| {
                    while in_time()
                        && let Some(run) = next(&runs)
                    {
                        self.one(&run, kernel, root, &report);
                    }
                });
            }
        });
        let left = runs.into_inner().unwrap_or_else(PoisonError::into_inner).len();
        if left > 0 {
            println!("time is up: {left} runs were not begun");
        }
        report.close()
    }

    fn one(&self, run: &Run, kernel: &Path, root: &Path, report: &Report) {
        let began = Instant::now();
        let name = format!("seed {} on {} CPUs, {}", run.seed, run.cpus, run.program);
        match shaken::run(run, kernel, root, self) {
            Ok(story) => match evidence::complaint(&story) {
                None => report.passed(&format!("{name}: {}", story.rounds()), began.elapsed()),
                Some(complaint) => {
                    let kept = evidence::keep(run, &story, &complaint).unwrap_or_else(|failure| failure.message);
                    report.failed(&name, began.elapsed(), &kept);
                }
            },
            Err(failure) => report.failed(&name, began.elapsed(), &failure.message),
        }
    }
}

impl Run {
    /// The command that does it again.
    fn replay(&self) -> String {
        let Run { seed, cpus, program, seconds } = self;
        format!("cargo xtask soak --first-seed {seed} --seeds 1 --cpus {cpus} --seconds {seconds} {program}")
    }
}

fn next(runs: &Mutex<VecDeque<Run>>) -> Option<Run> {
    runs.lock().unwrap_or_else(PoisonError::into_inner).pop_front()
}

fn packed(subjects: &[Subject]) -> Outcome<PathBuf> {
    let mut extras = Vec::new();
    for subject in subjects {
        let bytes = std::fs::read(&subject.file).explain(format_args!("reading {}", subject.file.display()))?;
        extras.push(Extra { name: format!("tests/{}", name(subject)), permissions: 0o755, bytes });
    }
    root::store("soak.cpio", &root::built_in(&extras)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plan(words: &[&str]) -> Plan {
        let options = ["seeds", "first-seed", "cpus", "seconds", "minutes", "jobs"];
        Plan::of(&Arguments::parse(words.iter().map(OsString::from).collect(), &options, &["deterministic"]).unwrap()).unwrap()
    }

    #[test]
    fn every_seed_meets_every_count_and_every_program_in_its_share_of_the_time() {
        let runs = plan(&["--seeds", "2", "--first-seed", "7", "--cpus", "2,16", "--seconds", "10"]).runs(&["a".into(), "b".into()]);
        assert_eq!(runs.len(), 8);
        assert_eq!(runs[0], Run { seed: 7, cpus: 2, program: "a".into(), seconds: 5 });
        assert_eq!(runs[7], Run { seed: 8, cpus: 16, program: "b".into(), seconds: 5 });
    }

    #[test]
    fn a_failed_run_says_how_to_do_it_again() {
        let again = Run { seed: 3, cpus: 4, program: "soak_pipes".into(), seconds: 2 }.replay();
        let words: Vec<&str> = again.split(' ').skip(3).collect();
        let runs = plan(&words).runs(&["soak_pipes".into()]);
        assert_eq!(runs, [Run { seed: 3, cpus: 4, program: "soak_pipes".into(), seconds: 2 }]);
    }
}
