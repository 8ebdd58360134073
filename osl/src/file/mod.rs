//! Open files: what a descriptor leads to.
//!
//! A `File` is the behaviour (regular, directory, pipe, device …), an `OpenFile` is one opening of it with its flags and
//! position, a `FileTable` is what a program's descriptor numbers mean. `open` turns a path into an `OpenFile`. Readiness, for
//! `poll` and its kind, is `Readiness` and the wait queues that a file names.
//!
//! Invariant: a file waits only through its wait queues, and never while a lock of this folder is held.

pub mod device;
pub mod directory;
pub mod epoll;
pub mod event;
pub mod fifo;
#[allow(clippy::module_inception, reason = "the file itself is the main subject of the folder")]
pub mod file;
pub mod in_flight;
pub mod open;
pub mod open_file;
pub mod pipe;
pub mod pipe_node;
mod pipe_transfer;
pub mod promised;
pub mod readiness;
pub mod record_locks;
pub mod regular;
pub mod splice;
pub mod table;
pub mod text;
pub mod timer;
pub mod watch;
pub mod whole_locks;

pub use file::{File, Manner};
pub use open_file::{Access, OpenFile};
pub use promised::Promised;
pub use readiness::Readiness;
pub use table::FileTable;
