//! The calls about sockets.
//!
//! `ends` makes, names and connects them; `message` sends and receives.

pub mod ends;
pub mod message;
