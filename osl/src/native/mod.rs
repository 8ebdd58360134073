//! The kernel's own objects as programs hold them: descriptors of channels, ports, notifications, interrupt lines, shared memory.
//!
//! What they do is in `libkernel::ipc`; here they are files, and what travels through them are files. The calls themselves are
//! in `syscall::native`.
//!
//! Invariant: an object waits for another only through its queues or its own record of who waits; it never calls it.

pub mod channel;
pub mod interrupt;
pub mod memory;
pub mod messages;
pub mod notification;
pub mod operation;
pub mod port;
pub mod rings;
pub mod space;
pub mod submit;
pub mod transfer;

pub use channel::{ReceiveEnd, SendEnd};
pub use interrupt::InterruptFile;
pub use memory::MemoryFile;
pub use notification::NotificationFile;
pub use port::Port;
