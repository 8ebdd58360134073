//! One CPU: its block, its descriptor tables, what it can do, and its registers that are not in a trap frame.
//!
//! Invariants: see `block` (GS), `gdt` (one set of tables per CPU) and `features` (all CPUs are set up alike).

pub mod block;
pub mod features;
pub mod fpu;
pub mod gdt;
mod registers;
pub(crate) mod smap;

pub use block::{CpuBlock, apic_id_of, set_kernel_stack, set_thread, thread};
pub use registers::{
    USER_END, fs_base, halt_for_ever, halt_until_interrupt, is_user_address, set_fs_base, set_user_gs_base, stack_pointer, user_gs_base,
};
