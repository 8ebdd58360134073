//! Seam 3: from one kernel stack to another. On the host a kernel thread is an OS thread.
//!
//! Invariant: at most one CPU goes on with a context, and only after it has been left (`sync::Park` sees to both).

#[cfg(target_os = "none")]
mod bare;
#[cfg(not(target_os = "none"))]
mod host;

#[cfg(target_os = "none")]
pub use bare::{Context, switch};
#[cfg(not(target_os = "none"))]
pub use host::{Context, switch};
