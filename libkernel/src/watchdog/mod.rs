//! Watchdogs: a machine that stands still says who waits for what.
//!
//! Invariant: they only look. What they see may be over by the time it is told, so nothing is told that was not seen for a while.
//!
//! `start` begins it all. `waits` says what each thread waits for now, `chain` who waits for whom, `hung` tells the log of waits that
//! last too long, `lockup` of CPUs that stand still, `sweep` (debug kernels) of threads in the wrong place; `report` tells everything
//! on demand. `personality` is how the system above adds what it knows of a thread.

mod chain;
mod hung;
mod lockup;
pub mod personality;
pub mod report;
mod start;
mod sweep;
mod waits;

pub use hung::lasting;
pub use lockup::{set_show_cpus, show_cpus};
pub use start::{Limits, ask_for_report, start};
pub use waits::Waiting;
