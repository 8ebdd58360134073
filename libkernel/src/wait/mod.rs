//! Waiting: for a condition, for a lock, for a time.
//!
//! Invariant: there is one way to sleep, `queue::wait_on`; everything else here is made of it. Make the condition
//! true first, then wake.

pub mod mutex;
pub mod queue;
pub mod timers;
mod waiter;

pub use mutex::{Mutex, MutexGuard};
pub use queue::{WaitQueue, sleep_until, wait_on};
pub use timers::{Timer, TimerTarget};
pub use waiter::Deadline;
