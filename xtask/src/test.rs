//! `cargo xtask test [FILTER]`: host tests, then everything that needs the machine, at several CPU counts.

use std::collections::VecDeque;
use std::ffi::OsString;
use std::path::PathBuf;
use std::sync::{Mutex, PoisonError};
use std::time::Instant;

use crate::arguments::Arguments;
use crate::build::{self, Messages, Profile};
use crate::error::Outcome;
use crate::machine::parse_cpus;
use crate::report::Report;
use crate::{boots, comparison, disks, host_tests, programs};

const CPU_COUNTS: [u32; 4] = [1, 2, 4, 8];

/// One test in the machine. The error is the report.
pub struct Case {
    pub name: String,
    /// Measures time, so nothing else may run beside it.
    pub alone: bool,
    pub work: Box<dyn Fn() -> Result<(), String> + Send + Sync>,
}

/// What the person asked for.
pub struct Selection {
    pub filters: Vec<String>,
    pub cpus: Vec<u32>,
}

impl Selection {
    pub fn takes(&self, name: &str) -> bool {
        self.filters.is_empty() || self.filters.iter().any(|filter| name.contains(filter.as_str()))
    }

    /// A filter with one of these words at its front is about the machine only.
    fn wants_host_tests(&self) -> bool {
        let in_machine =
            |filter: &String| ["linux/", "native/", "example/", "script/", "vm/", "disk/"].iter().any(|group| filter.starts_with(group));
        !self.filters.iter().any(in_machine)
    }
}

pub fn test(words: Vec<OsString>) -> Outcome<u8> {
    let arguments = Arguments::parse(words, &["cpus", "jobs", "kernel"], &["list"])?;
    arguments.no_program()?;
    let cpus = match arguments.option("cpus") {
        Some(list) => list.split(',').map(parse_cpus).collect::<Outcome<Vec<_>>>()?,
        None => CPU_COUNTS.to_vec(),
    };
    let selection = Selection { filters: arguments.words.clone(), cpus };
    if arguments.flag("list") {
        let (programs, boots) = (programs::listed()?, boots::listed()?);
        programs.iter().chain(&boots).chain(&disks::listed()).filter(|name| selection.takes(name)).for_each(|name| println!("{name}"));
        return Ok(0);
    }
    let jobs = arguments.option("jobs").and_then(|jobs| jobs.parse().ok()).unwrap_or_else(default_jobs);
    let report = Report::default();
    if selection.wants_host_tests() {
        host_tests::run(&selection.filters, &report)?;
    }
    let ready = arguments.option("kernel").map(PathBuf::from);
    if let Some(cases) = machine_cases(ready, &selection, &report)? {
        run_all(cases, jobs, &report);
    }
    Ok(report.close())
}

/// None when the kernel does not build: that is one failed test, and the host's results still stand.
fn machine_cases(ready: Option<PathBuf>, selection: &Selection, report: &Report) -> Outcome<Option<Vec<Case>>> {
    let began = Instant::now();
    let kernel = match ready.map_or_else(|| build::kernel(Profile::Checked, Messages::Shown), Ok) {
        Ok(kernel) => kernel,
        Err(failure) if failure.status == 1 => {
            report.failed("the kernel builds", began.elapsed(), &failure.message);
            return Ok(None);
        }
        Err(missing) => return Err(missing),
    };
    let mut cases = comparison::cases(&kernel, selection, report)?;
    cases.extend(boots::cases(&kernel, selection)?);
    cases.extend(disks::cases(&kernel, selection)?);
    Ok(Some(cases))
}

fn run_all(cases: Vec<Case>, jobs: usize, report: &Report) {
    let (alone, together): (Vec<Case>, Vec<Case>) = cases.into_iter().partition(|case| case.alone);
    let queue = Mutex::new(VecDeque::from(together));
    std::thread::scope(|scope| {
        for _ in 0..jobs.max(1) {
            scope.spawn(|| {
                while let Some(case) = next(&queue) {
                    run_one(&case, report);
                }
            });
        }
    });
    alone.iter().for_each(|case| run_one(case, report));
}

fn next(queue: &Mutex<VecDeque<Case>>) -> Option<Case> {
    queue.lock().unwrap_or_else(PoisonError::into_inner).pop_front()
}

fn run_one(case: &Case, report: &Report) {
    let began = Instant::now();
    match (case.work)() {
        Ok(()) => report.passed(&case.name, began.elapsed()),
        Err(why) => report.failed(&case.name, began.elapsed(), &why),
    }
}

fn default_jobs() -> usize {
    std::thread::available_parallelism().map_or(1, |cores| cores.get().clamp(1, 2))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_filter_for_the_machine_leaves_the_host_tests_out() {
        let with = |filter: &str| Selection { filters: vec![filter.into()], cpus: vec![1] };
        assert!(!with("vm/status").wants_host_tests());
        assert!(with("pipe").wants_host_tests());
        assert!(with("pipe").takes("linux/pipes on 4 CPUs"));
        assert!(!with("pipe").takes("linux/fork on 4 CPUs"));
    }

    #[test]
    fn every_case_is_run_once_and_those_that_measure_run_alone() {
        use std::sync::Arc;
        use std::sync::atomic::{AtomicUsize, Ordering};
        let running = Arc::new(AtomicUsize::new(0));
        let case = |number: usize, alone: bool| {
            let running = running.clone();
            let work = move || {
                let beside = running.fetch_add(1, Ordering::SeqCst);
                std::thread::sleep(std::time::Duration::from_millis(5));
                running.fetch_sub(1, Ordering::SeqCst);
                if alone && beside > 0 { Err("not alone".to_owned()) } else { Ok(()) }
            };
            Case { name: format!("case {number}"), alone, work: Box::new(work) }
        };
        let report = Report::default();
        run_all((0..20).map(|number| case(number, number % 5 == 0)).collect(), 4, &report);
        assert_eq!(report.close(), 0);
    }
}
