//! Between Linux's scheduling numbers and the scheduler's own.
//!
//! Invariant: what was set is what is read back, for every policy that this kernel has.

use alloc::sync::Arc;

use abi::Errno;
use abi::process::policy;
use libkernel::sched;
use libkernel::thread::{Policy, Scheduling, Thread};
use sync::TaskContext;

use super::sched_rules::{Wanted, is_real_time};
use crate::error::errno;
use crate::futex;
use crate::process::Task;

/// A turn among equals of the real-time policies, and about the length of a fair slice.
const REAL_TIME_TURN_NS: u64 = 100_000_000;
const FAIR_SLICE_NS: u64 = 3_000_000;

/// The kernel thread of a task that has not ended.
pub fn thread_of(task: &Arc<Task>) -> Result<Arc<Thread>, Errno> {
    task.thread().ok_or(Errno::ESRCH)
}

/// How a task is scheduled now.
pub fn of(task: &Arc<Task>) -> Result<Wanted, Errno> {
    let now = thread_of(task)?.scheduling();
    Ok(Wanted {
        policy: number(now.policy),
        nice: i32::from(now.nice),
        priority: u32::from(now.priority),
        reset_on_fork: task.reset_on_fork.is_set(),
    })
}

/// Makes a checked change.
pub fn set(cx: &mut TaskContext, task: &Arc<Task>, wanted: Wanted) -> Result<(), Errno> {
    let thread = thread_of(task)?;
    sched::set_scheduling(cx, &thread, scheduling(&wanted)?);
    // What it lends, and its place in line for a lock, follow.
    futex::lend::reweigh(cx, &task.futexes);
    if wanted.reset_on_fork {
        task.reset_on_fork.set();
    } else {
        task.reset_on_fork.clear();
    }
    Ok(())
}

/// How long a turn of this policy is; a FIFO thread has no end to its.
pub fn turn_ns(now: &Wanted) -> u64 {
    match now.policy {
        policy::FIFO => 0,
        policy::ROUND_ROBIN => REAL_TIME_TURN_NS,
        _ => FAIR_SLICE_NS,
    }
}

fn scheduling(wanted: &Wanted) -> Result<Scheduling, Errno> {
    let policy = match wanted.policy {
        policy::OTHER => Policy::Fair,
        policy::BATCH => Policy::Batch,
        policy::IDLE => Policy::Idle,
        policy::FIFO => Policy::Fifo,
        policy::ROUND_ROBIN => Policy::RoundRobin,
        _ => return Err(Errno::EINVAL),
    };
    let nice = i8::try_from(wanted.nice).map_err(|_| Errno::EINVAL)?;
    let priority = if is_real_time(wanted.policy) { wanted.priority } else { 0 };
    let priority = u8::try_from(priority).map_err(|_| Errno::EINVAL)?;
    Scheduling::new(policy, nice, priority).map_err(errno)
}

/// Linux's number of a policy.
pub fn number(policy: Policy) -> u32 {
    match policy {
        Policy::Fair => policy::OTHER,
        Policy::Batch => policy::BATCH,
        Policy::Idle => policy::IDLE,
        Policy::Fifo => policy::FIFO,
        Policy::RoundRobin => policy::ROUND_ROBIN,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_policy_comes_back_as_it_was_set() {
        for policy in [policy::OTHER, policy::BATCH, policy::IDLE] {
            let wanted = Wanted { policy, nice: -7, priority: 0, reset_on_fork: false };
            let scheduling = scheduling(&wanted);
            assert!(scheduling.is_ok_and(|made| number(made.policy) == policy && made.nice == -7));
        }
        for policy in [policy::FIFO, policy::ROUND_ROBIN] {
            let wanted = Wanted { policy, nice: 0, priority: 42, reset_on_fork: false };
            assert!(scheduling(&wanted).is_ok_and(|made| number(made.policy) == policy && made.priority == 42));
        }
    }
}
