//! What programs share by numbers and keys: the calls of System V.
//!
//! `segments` is shared memory, `semaphores` sets of semaphores, `messages` queues of messages; the texts are what is told of them.

mod message_text;
pub mod messages;
mod segment_text;
pub mod segments;
mod semaphore_text;
pub mod semaphores;
