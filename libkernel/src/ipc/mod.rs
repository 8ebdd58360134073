//! Messages, completions and signals between programs, and from devices to programs.
//!
//! Nothing here knows what a program calls these things by: handles that travel in messages are opaque values, results
//! are numbers.
//!
//! Invariant: an object that is waited for is told of by its own lock first and its wait queue second.

pub mod channel;
pub mod completion_port;
pub mod interrupt_line;
pub mod notify;
mod places;
pub mod ring;
mod sender;
pub mod shared_memory;

pub use channel::{Channel, Message, Ticket};
pub use completion_port::{Bell, CompletionPort, Taker};
pub use interrupt_line::InterruptLine;
pub use notify::Notification;
pub use places::{Finished, OperationId};
pub use ring::{CompletionRing, Layout, SubmissionRing};
pub use shared_memory::SharedMemory;
