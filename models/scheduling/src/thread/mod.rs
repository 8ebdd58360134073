//! Threads: the kernel's own, without stacks, programs and accounts.

#[path = "../../../../libkernel/src/thread/current.rs"]
pub mod current;
#[path = "../../../../libkernel/src/thread/owned.rs"]
pub(crate) mod owned;
#[path = "../../../../libkernel/src/thread/scheduling.rs"]
pub mod scheduling;
#[path = "../../../../libkernel/src/thread/thread.rs"]
#[allow(clippy::module_inception, reason = "as in the kernel")]
pub mod thread;
#[path = "../../../../libkernel/src/thread/waiting.rs"]
pub mod waiting;

pub mod accounting;
pub(crate) mod list;
pub mod registers;
pub(crate) mod remains;
pub mod stack;
pub mod user;

pub use scheduling::{Policy, Scheduling};
pub use thread::{LIVING, Payload, Thread};
