//! Interrupt controllers: one local APIC per CPU, and the IO-APICs that devices are wired to.
//!
//! Invariants: a local APIC is touched by its own CPU only; an IO-APIC only under its own lock (`io`). Every CPU
//! measures its own timer (`calibrate`), because frequencies may differ.

pub mod calibrate;
pub mod io;
pub mod ipi;
pub mod local;
pub mod message;
mod redirection;
pub mod timer;
