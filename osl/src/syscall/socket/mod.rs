//! The calls about sockets.
//!
//! `ends` makes, names and connects them; `message` sends and receives one, `several` more than one.

pub mod ends;
pub mod message;
pub mod several;
