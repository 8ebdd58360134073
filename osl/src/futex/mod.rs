//! Futexes: sleeping until a word in a program's memory changes.
//!
//! `bucket` holds who waits for which word; `wait` and `wake` are the two sides; `operation` decodes the call; `robust` marks the
//! words that a dead thread still owned. The word is read while no lock is held, for reading it may sleep; `wait` says why that is safe.

pub mod bucket;
pub mod operation;
pub mod robust;
pub mod wait;
pub mod wake;

pub use operation::call;
pub use wait::wait;
pub use wake::wake_one;
