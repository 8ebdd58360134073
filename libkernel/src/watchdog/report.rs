//! The whole state on demand: every CPU, every thread, who waits for what.
//!
//! Invariant: one line of the log for each thing; nothing is waited for.

use super::waits::{self, Waiting};
use super::{chain, lockup};
use crate::info;
use crate::sched::{self, cpu_statistics};
use crate::thread::{Thread, list};
use alloc::string::String;
use alloc::sync::Arc;
use sync::{ParkState, TaskContext, cpu};

/// All CPUs, all threads, all waits.
pub fn everything(cx: &TaskContext) {
    lockup::show_cpus();
    queues();
    threads(cx);
}

/// What each CPU has to do.
fn queues() {
    info!("report: {} threads can run", sched::runnable());
    for cpu in cpu::online() {
        let statistics = cpu_statistics(cpu);
        info!("report: CPU {} has {} to run, changed threads {} times", cpu.index(), statistics.load, statistics.switches);
    }
}

/// Where each thread is, and what it waits for.
pub fn threads(cx: &TaskContext) {
    list::all().filter(|thread| !thread.is_idle()).for_each(|thread| info!("report: {}", line(cx, &thread)));
}

/// The threads that sleep without being open to an interruption, and those behind them.
pub fn blocked(cx: &TaskContext) {
    for waiting in waits::all().filter(Waiting::is_the_kernels) {
        chain::lines(cx, &waiting).iter().for_each(|line| info!("report: {line}"));
    }
}

fn line(cx: &TaskContext, thread: &Arc<Thread>) -> String {
    if let Some(waiting) = Waiting::of(thread) {
        return waiting.text(cx);
    }
    let state = match (thread.is_running_now(), thread.is_runnable(), thread.park.peek()) {
        (true, ..) => "runs on",
        (_, true, _) => "waits for",
        (.., ParkState::Parked) => "sleeps, last on",
        _ => "is gone or on its way, last on",
    };
    alloc::format!("{} {state} CPU {}", waits::name(cx, thread), thread.last_cpu().index())
}
