//! The calls that move bytes.
//!
//! `bytes` reads and writes a program's memory and copies between files; `splice` moves what goes through pipes.

pub mod bytes;
pub mod process_memory;
pub mod splice;

pub use bytes::{LIMIT, pieces_in};
