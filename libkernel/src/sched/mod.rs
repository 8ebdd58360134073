//! Who runs where: one run queue per CPU, one place where a CPU changes threads.
//!
//! Invariant: a runnable thread is on exactly one queue, running on exactly one CPU, or in the hands of exactly one
//! CPU that is about to queue it; and it is queued only after its context is saved.

pub mod affinity;
pub(crate) mod audit;
mod balance;
mod disturb;
mod donate;
mod fair;
pub mod idle;
pub mod load;
pub(crate) mod place;
pub mod preempt;
pub(crate) mod pulse;
mod queues;
mod real_time;
pub(crate) mod run_queue;
pub mod spawn;
pub mod switch;
mod throttle;

#[cfg(test)]
mod host_tests;

pub use affinity::{lend_standing, set_affinity, set_scheduling};
pub use donate::wake_donating;
pub use idle::{initialise_cpu, start_idle};
pub use load::{load_averages, runnable};
pub use place::{nudge, wake};
pub use queues::{CpuStatistics, cpu_statistics};
pub use spawn::{Spawn, spawn, spawn_known};
pub use switch::{exit, yield_now};

pub use crate::thread::accounting::{CpuTimes, cpu_times};
