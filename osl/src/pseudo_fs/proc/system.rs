//! /proc/uptime, loadavg, version and other short texts about the machine.
//!
//! Invariant: each text has the form that `man 5 proc` gives it.

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use abi::Errno;
use libkernel::sched::load::UNIT;
use libkernel::{clock, sched};
use sync::{TaskContext, cpu};

use super::cpu_times;
use crate::board;
use crate::{kernel_log, process, release};

const CENTISECOND_NS: u64 = 10_000_000;
/// A load of one, in the form that `load_text` takes.
const LOAD_ONE: u64 = 1 << 16;

pub fn uptime(_cx: &mut TaskContext) -> Result<Vec<u8>, Errno> {
    let idle: u64 = cpu::online().iter().map(|cpu| cpu_times::times_of(cpu).idle).sum();
    Ok(uptime_text(clock::now(), idle).into_bytes())
}

fn uptime_text(since_boot: u64, idle: u64) -> String {
    let hundredths = |nanoseconds: u64| {
        let all = nanoseconds / CENTISECOND_NS;
        (all / 100, all % 100)
    };
    let ((seconds, part), (idle_seconds, idle_part)) = (hundredths(since_boot), hundredths(idle));
    format!("{seconds}.{part:02} {idle_seconds}.{idle_part:02}\n")
}

pub fn load_averages(cx: &mut TaskContext) -> Result<Vec<u8>, Errno> {
    let processes = process::all(cx);
    let tasks: usize = processes.iter().map(|process| process.tasks(cx).len()).sum();
    let newest = processes.iter().map(|process| process.id()).max().unwrap_or(0);
    let loads = sched::load_averages().map(|load| load.saturating_mul(LOAD_ONE) / UNIT);
    let text = load_text(loads, sched::runnable(), tasks, newest);
    Ok(text.into_bytes())
}

/// Loads come times 65536 and are printed with two places, rounded as Linux rounds.
fn load_text(loads: [u64; 3], runnable: u64, tasks: usize, newest: i32) -> String {
    let [one, five, fifteen] = loads.map(|load| {
        let rounded = load.saturating_add(65_536 / 200);
        format!("{}.{:02}", rounded >> 16, ((rounded & 0xffff) * 100) >> 16)
    });
    format!("{one} {five} {fifteen} {runnable}/{tasks} {newest}\n")
}

pub fn version(_cx: &mut TaskContext) -> Result<Vec<u8>, Errno> {
    Ok(format!("{} version {} {}\n", release::SYSTEM, release::RELEASE, release::VERSION).into_bytes())
}

pub fn command_line(_cx: &mut TaskContext) -> Result<Vec<u8>, Errno> {
    let line = board::get().map_or("", |board| board.command_line());
    Ok(format!("{line}\n").into_bytes())
}

pub fn file_systems(_cx: &mut TaskContext) -> Result<Vec<u8>, Errno> {
    Ok(b"nodev\tsysfs\nnodev\ttmpfs\nnodev\tproc\nnodev\tdevtmpfs\n".to_vec())
}

pub fn devices(_cx: &mut TaskContext) -> Result<Vec<u8>, Errno> {
    Ok(b"Character devices:\n  1 mem\n  5 /dev/tty\n  5 /dev/console\n\nBlock devices:\n".to_vec())
}

pub fn swaps(_cx: &mut TaskContext) -> Result<Vec<u8>, Errno> {
    Ok(b"Filename\t\t\t\tType\t\tSize\t\tUsed\t\tPriority\n".to_vec())
}

/// What is kept of the kernel log.
pub fn log(_cx: &mut TaskContext) -> Result<Vec<u8>, Errno> {
    Ok(kernel_log::text())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn uptime_is_in_hundredths_of_a_second() {
        assert_eq!(uptime_text(12_345_678_901, 2_000_000_000), "12.34 2.00\n");
    }

    #[test]
    fn a_load_of_one_and_a_half_prints_as_such() {
        assert_eq!(load_text([98_304, 0, 65_536], 2, 50, 99), "1.50 0.00 1.00 2/50 99\n");
    }
}
