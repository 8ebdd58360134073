//! Messages, completions and signals between programs, and from devices to programs.
//!
//! Nothing here knows what a program calls these things by: handles that travel in messages are opaque values, results
//! are numbers.
//!
//! Invariant: an object that is waited for is told of by its own lock first and its wait queue second.

pub mod channel;
mod sender;

pub use channel::{Channel, Message, Ticket};
