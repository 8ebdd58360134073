//! The errors of both crates whose files are taken in.

#[path = "../../../libkernel/src/error.rs"]
mod kernel;
#[path = "../../../osl/src/error.rs"]
mod personality;

pub use kernel::KernelError;
pub use personality::errno;
