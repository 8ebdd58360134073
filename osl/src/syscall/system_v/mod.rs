//! What programs share by numbers and keys: the calls of System V.
//!
//! `segments` is shared memory, `semaphores` sets of semaphores; the texts are what is told of them.

mod segment_text;
pub mod segments;
mod semaphore_text;
pub mod semaphores;
