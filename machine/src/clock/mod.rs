//! Clocks of the machine: the time-stamp counter that everything is timed by, the two old ones that it is set by.
//!
//! Invariants: see `tsc` (one frequency for all CPUs, known before the first timer is armed) and `page` (what programs read of it).

pub mod page;
mod pit;
pub mod real_time_clock;
pub mod tsc;
