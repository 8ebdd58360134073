//! What the benchmark programs share: the ways to hand a turn to another thread, and where the two run.
//!
//! Invariant: a program runs on every kernel that runs Linux programs; what the kernel does not have is left out.

pub mod course;
pub mod native;
pub mod placement;
pub mod system;
pub mod ways;
