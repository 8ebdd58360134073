//! Waiting: for a condition, for a lock, for a time.
//!
//! Invariant: there is one way to sleep, `sleep::sleep_through`; everything else here is made of it. Make the condition
//! true first, then wake.

pub mod mutex;
pub mod queue;
pub mod shared_mutex;
mod sleep;
pub mod timers;
mod waiter;

pub use mutex::{Mutex, MutexGuard};
pub use queue::{WaitQueue, Watch};
pub use shared_mutex::{ExclusiveGuard, SharedGuard, SharedMutex};
pub use sleep::{sleep_until, wait_on};
pub use timers::{Timer, TimerTarget};
pub use waiter::{Alert, Deadline};
