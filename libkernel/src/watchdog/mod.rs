//! Watchdogs: a machine that stands still says who waits for what.
//!
//! Invariant: they only look. What they see may be over by the time it is told, so nothing is told that was not seen for a while.
//!
//! `waits` says what each thread waits for now, `chain` who waits for whom, `hung` tells the log of waits that last too long,
//! `personality` is how the system above adds what it knows of a thread.

mod chain;
mod hung;
pub mod personality;
mod waits;

pub use hung::{DEFAULT_LIMIT_SECONDS, lasting, start};
pub use waits::Waiting;
