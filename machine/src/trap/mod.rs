//! The doors into the kernel: exceptions, interrupts, `syscall`; and the one page of ways up.
//!
//! Invariants: everything of a thread is saved on that thread's own kernel stack as a `TrapFrame` before Rust runs.
//! Upcalls begin with interrupts off and GS the CPU's own; a frame that came from user mode is checked before it goes
//! back there (`frame::TrapFrame::is_fit_for_user_mode`), so that `iretq` and `sysretq` cannot fault.

pub mod backtrace;
mod doors;
pub mod frame;
mod idt;
mod legacy_pic;
pub mod upcalls;
pub mod vectors;

pub use doors::fault_address;
pub use frame::TrapFrame;
pub use upcalls::{Upcalls, install};

pub(crate) use doors::{make_fit_for_user_mode, prepare_syscalls};
pub(crate) use idt::{build, load};
pub(crate) use legacy_pic::silence;

/// Sends one interrupt vector to the kernel, as its number.
pub type Vector = u8;
