//! The wall to user mode: copies across it, single words for futexes, and the way down.
//!
//! Invariant: user memory is touched only between `machine_user_begin` and `machine_user_end` (`copy.s`), with access
//! switched on for just that long; a fault there goes on at the failure exit (`fixup`), when nobody can mend it. What programs
//! can ask without a way down is code of the kernel's that they run themselves (`vdso`).

mod access;
mod enter;
pub mod vdso;

pub use access::{Fault, add, compare_exchange, copy_in, copy_out, exchange, fixup, is_copying, load, store, zero};
pub use enter::enter_ring3;
