//! What System V programs share by numbers and keys: segments of memory, sets of semaphores, and queues of messages.
//!
//! Invariant: an object is found under its number until it is removed and nobody uses it any more.

pub mod keyed;
pub mod message_queue;
pub mod message_queues;
pub mod rights;
pub mod segment;
pub mod segments;
pub mod semaphore_set;
pub mod semaphores;

pub use rights::Rights;
