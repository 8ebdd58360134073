//! Threads: what they are, their stacks, their registers, the wall to ring 3.
//!
//! Invariant: a thread is a counted object, known by reference; which one is current comes from the context token.

pub mod accounting;
pub mod current;
pub mod list;
pub(crate) mod owned;
pub mod registers;
pub(crate) mod remains;
pub mod scheduling;
pub mod stack;
#[allow(clippy::module_inception, reason = "the thread itself is the main subject of the folder")]
pub mod thread;
pub mod user;
pub mod waiting;

pub use accounting::Times;
pub use scheduling::{Policy, Scheduling};
pub use thread::{LIVING, Payload, Thread};
pub use user::{Access, Fault, UserMemory};
