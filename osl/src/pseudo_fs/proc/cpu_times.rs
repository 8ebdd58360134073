//! /proc/stat: what every CPU spent its time on.
//!
//! Invariant: for each CPU, user, nice, system and idle time only grow.

use alloc::string::String;
use alloc::vec::Vec;

use abi::Errno;
use libkernel::{clock, interrupt, sched};
use sync::{CpuId, TaskContext, cpu};

use super::task_text::{append, ticks};
use crate::process;

/// Where one CPU's time went, in nanoseconds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct CpuTimes {
    /// Programs.
    pub user: u64,
    /// The kernel.
    pub system: u64,
    /// Nothing to do.
    pub idle: u64,
}

/// Counts that stand below the CPUs' lines.
struct Totals {
    interrupts: u64,
    switches: u64,
    boot_seconds: u64,
    processes: u64,
    runnable: u64,
}

pub fn times_of(cpu: CpuId) -> CpuTimes {
    let spent = sched::cpu_times(cpu);
    CpuTimes { user: spent.user_ns, system: spent.system_ns, idle: spent.idle_ns }
}

pub fn read(cx: &mut TaskContext) -> Result<Vec<u8>, Errno> {
    let online = cpu::online();
    let cpus: Vec<(usize, CpuTimes)> = online.iter().map(|cpu| (cpu.index(), times_of(cpu))).collect();
    let totals = Totals {
        interrupts: online.iter().map(interrupt::count_on).sum(),
        switches: online.iter().map(|cpu| sched::cpu_statistics(cpu).switches).sum(),
        boot_seconds: clock::boot_time() / clock::NANOSECONDS_PER_SECOND,
        processes: process::all(cx).iter().map(|process| u64::from(process.id().unsigned_abs())).max().unwrap_or(0),
        runnable: sched::runnable(),
    };
    Ok(text(&cpus, &totals).into_bytes())
}

fn text(cpus: &[(usize, CpuTimes)], totals: &Totals) -> String {
    let sum = cpus.iter().fold(CpuTimes::default(), |sum, (_, times)| CpuTimes {
        user: sum.user.saturating_add(times.user),
        system: sum.system.saturating_add(times.system),
        idle: sum.idle.saturating_add(times.idle),
    });
    let mut text = String::new();
    text.push_str("cpu ");
    line(&mut text, sum);
    for (number, times) in cpus {
        append(&mut text, format_args!("cpu{number}"));
        line(&mut text, *times);
    }
    append(
        &mut text,
        format_args!(
            "intr {}\nctxt {}\nbtime {}\nprocesses {}\nprocs_running {}\nprocs_blocked 0\n",
            totals.interrupts, totals.switches, totals.boot_seconds, totals.processes, totals.runnable
        ),
    );
    text
}

fn line(text: &mut String, times: CpuTimes) {
    let (user, system, idle) = (ticks(times.user), ticks(times.system), ticks(times.idle));
    append(text, format_args!(" {user} 0 {system} {idle} 0 0 0 0 0 0\n"));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_line_is_the_sum_of_the_others() {
        let one = CpuTimes { user: 1_000_000_000, system: 500_000_000, idle: 10_000_000 };
        let totals = Totals { interrupts: 5, switches: 6, boot_seconds: 7, processes: 8, runnable: 1 };
        let text = text(&[(0, one), (2, one)], &totals);
        let mut lines = text.lines();
        assert_eq!(lines.next(), Some("cpu  200 0 100 2 0 0 0 0 0 0"));
        assert_eq!(lines.next(), Some("cpu0 100 0 50 1 0 0 0 0 0 0"));
        assert_eq!(lines.next(), Some("cpu2 100 0 50 1 0 0 0 0 0 0"));
        assert!(text.ends_with("intr 5\nctxt 6\nbtime 7\nprocesses 8\nprocs_running 1\nprocs_blocked 0\n"));
    }
}
