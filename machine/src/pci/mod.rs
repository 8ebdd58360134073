//! PCI: who is plugged in, where its registers are, and the messages that it interrupts with.
//!
//! Invariant: the configuration ports belong to the one `Bus`; a device's registers are reached through `Registers`, which
//! stay inside what was mapped.

mod bus;
mod message_table;
mod registers;

pub use bus::{Bus, Function};
pub use message_table::MessageTable;
pub use registers::Registers;
