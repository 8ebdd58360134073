//! Programs in files: what an ELF header asks for, how it is mapped, and the stack that a program finds.
//!
//! `header` and `parse` turn bytes into a plan and refuse what makes no sense; `load` maps the plan into an address space that no
//! thread uses yet; `stack` builds the words and strings at the top of the stack. Nothing here knows of processes.

pub mod header;
pub mod load;
pub mod parse;
pub mod stack;

pub use load::{Loaded, load};
pub use parse::{Image, Malformed};
