//! Braid's own system calls, 501 to 512, for programs: ports where all work ends, channels, notifications, shared memory.
//!
//! Every object is a descriptor behind an owner that closes it. Where the kernel is not Braid, the first call fails with `ENOSYS`.
//!
//! ```no_run
//! let (sender, receiver) = braid::channel(0)?;
//! std::thread::spawn(move || sender.send(&braid::Message::new(7, [1, 2, 3])));
//! let got = receiver.receive()?;
//! assert_eq!((got.tag, got.data), (7, [1, 2, 3]));
//! # Ok::<(), std::io::Error>(())
//! ```
//!
//! Invariant: safe code cannot make the kernel write where Rust did not lend it memory: whatever a pending operation writes to is
//! owned by its port until the operation has ended or the port is closed.

mod call;
mod channel;
mod interrupt;
mod mapping;
mod notification;
mod operation;
mod port;
mod ring;
mod shared_memory;

pub use channel::{Message, Received, Receiver, Sender, channel};
pub use interrupt::InterruptLine;
pub use notification::Notification;
pub use operation::{Done, Operation, Outcome};
pub use port::Port;
pub use ring::RingPort;
pub use shared_memory::{Mapped, SharedMemory};
