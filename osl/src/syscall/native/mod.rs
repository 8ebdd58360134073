//! The kernel's own calls, 501 to 512.
//!
//! Invariant: a structure is copied in once and checked as a copy; a descriptor of the wrong kind is `EBADF`, as one that is closed.

pub mod channel;
pub mod object;
pub mod port;
pub mod ring;
