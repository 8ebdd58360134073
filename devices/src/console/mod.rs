//! The console: a serial line to the person or program outside, and a second one for errors.
//!
//! Invariant: bytes are put into the buffer under its lock and readers are woken after it (audit 10).

mod framing;
mod input;
mod output;
mod serial_console;

pub use framing::{Decoder, Item};
pub use serial_console::{SerialConsole, Settings};
