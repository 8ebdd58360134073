//! What the tests have shown so far: one line each, the failures again at the end, one closing line.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

#[derive(Default)]
struct Count {
    passed: usize,
    failed: Vec<String>,
}

/// Shared by all workers.
#[derive(Default)]
pub struct Report {
    count: Mutex<Count>,
}

impl Report {
    pub fn passed(&self, name: &str, took: Duration) {
        self.with(|count| count.passed += 1);
        println!("ok      {name} ({:.1} s)", took.as_secs_f64());
    }

    pub fn failed(&self, name: &str, took: Duration, why: &str) {
        self.with(|count| count.failed.push(name.to_owned()));
        let why = why.trim_end().replace('\n', "\n        ");
        println!("FAILED  {name} ({:.1} s)\n        {why}", took.as_secs_f64());
    }

    /// A whole suite whose runner counts for itself.
    pub fn suite(&self, name: &str, passed: usize, failed: &[String], took: Duration) {
        self.with(|count| {
            count.passed += passed;
            count.failed.extend(failed.iter().map(|test| format!("{name} {test}")));
        });
        let word = if failed.is_empty() { "ok    " } else { "FAILED" };
        println!("{word}  {name}: {passed} passed, {} failed ({:.1} s)", failed.len(), took.as_secs_f64());
    }

    /// The closing line, and the exit status that agrees with it. No test at all is no success.
    pub fn close(&self) -> u8 {
        self.with(|count| {
            if !count.failed.is_empty() {
                println!("\nfailed:\n    {}", count.failed.join("\n    "));
            }
            println!("\n{} passed, {} failed", count.passed, count.failed.len());
            u8::from(count.passed == 0 || !count.failed.is_empty())
        })
    }

    fn with<R>(&self, act: impl FnOnce(&mut Count) -> R) -> R {
        act(&mut self.count.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_exit_status_agrees_with_the_closing_line() {
        let report = Report::default();
        assert_eq!(report.close(), 1, "no test at all");
        report.passed("one", Duration::ZERO);
        assert_eq!(report.close(), 0);
        report.failed("two", Duration::ZERO, "because");
        assert_eq!(report.close(), 1);
    }
}
