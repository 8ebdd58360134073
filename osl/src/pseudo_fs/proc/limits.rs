//! /proc/PID/limits.
//!
//! Invariant: one line for each limit, in the order of their numbers on Linux's page.

use alloc::format;
use alloc::string::String;

use abi::process::{Rlimit, UNLIMITED, limit};

use super::task_text::append;

const NAMES: [(&str, u32, &str); limit::COUNT] = [
    ("Max cpu time", limit::CPU, "seconds"),
    ("Max file size", limit::FILE_SIZE, "bytes"),
    ("Max data size", limit::DATA, "bytes"),
    ("Max stack size", limit::STACK, "bytes"),
    ("Max core file size", limit::CORE, "bytes"),
    ("Max resident set", limit::RESIDENT, "bytes"),
    ("Max processes", limit::PROCESSES, "processes"),
    ("Max open files", limit::FILES, "files"),
    ("Max locked memory", limit::LOCKED_MEMORY, "bytes"),
    ("Max address space", limit::ADDRESS_SPACE, "bytes"),
    ("Max file locks", limit::LOCKS, "locks"),
    ("Max pending signals", limit::PENDING_SIGNALS, "signals"),
    ("Max msgqueue size", limit::MESSAGE_QUEUE, "bytes"),
    ("Max nice priority", limit::NICE, ""),
    ("Max realtime priority", limit::REAL_TIME_PRIORITY, ""),
    ("Max realtime timeout", limit::REAL_TIME_MICROSECONDS, "us"),
];

/// The text, from what answers for each number.
pub fn text(of: impl Fn(u32) -> Option<Rlimit>) -> String {
    let mut text = format!("{:<25} {:<20} {:<20} {:<10}\n", "Limit", "Soft Limit", "Hard Limit", "Units");
    for (name, number, unit) in NAMES {
        let Some(values) = of(number) else { continue };
        append(&mut text, format_args!("{name:<25} {:<20} {:<20} {unit:<10}\n", shown(values.soft), shown(values.hard)));
    }
    text
}

fn shown(value: u64) -> String {
    if value == UNLIMITED { String::from("unlimited") } else { format!("{value}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_limit_has_its_line_and_no_limit_says_so() {
        let text = text(|number| Some(Rlimit { soft: u64::from(number), hard: UNLIMITED }));
        assert_eq!(text.lines().count(), limit::COUNT + 1);
        assert!(text.contains("Max open files            7                    unlimited            files     \n"));
    }
}
