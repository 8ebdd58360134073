//! Address spaces over fake RAM, used as a CPU would use them.
//!
//! Invariant: what a program sees equals an oracle with one byte per page, and no frame is lost.

mod faults;
mod large;
mod oracle;
mod parallel;
mod program;
mod sequences;
mod shortage;
mod steps;
