//! What the benchmark programs share: the ways to hand a turn to another thread and where the two run; teams and what they do.
//!
//! Invariant: a program runs on every kernel that runs Linux programs; what the kernel does not have is left out.

pub mod course;
pub mod memory_work;
pub mod native;
pub mod placement;
pub mod system;
pub mod team;
pub mod ways;
