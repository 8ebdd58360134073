//! The kernel's own objects, but for shared memory, where nobody waits.

#[path = "../../../libkernel/src/ipc/channel.rs"]
pub mod channel;
#[path = "../../../libkernel/src/ipc/completion_port.rs"]
pub mod completion_port;
#[path = "../../../libkernel/src/ipc/interrupt_line.rs"]
pub mod interrupt_line;
#[path = "../../../libkernel/src/ipc/notify.rs"]
pub mod notify;
#[path = "../../../libkernel/src/ipc/places.rs"]
mod places;
#[path = "../../../libkernel/src/ipc/ring.rs"]
pub mod ring;
#[path = "../../../libkernel/src/ipc/sender.rs"]
mod sender;

use std::mem::ManuallyDrop;

pub use channel::{Channel, ChannelState, Message, Ticket};
pub use completion_port::{Bell, CompletionPort, Taker};
pub use interrupt_line::InterruptLine;
pub use notify::Notification;
pub use places::{Finished, OperationId};
pub use ring::{CompletionRing, Layout, SubmissionRing};

/// Does something with the right to take completions. A deadlock leaves that right where it is: nobody is played any more who
/// could give it back.
pub fn as_taker<R>(port: &CompletionPort, act: impl FnOnce(&Taker<'_>) -> R) -> Result<R, crate::KernelError> {
    let taker = ManuallyDrop::new(port.taker()?);
    let result = act(&taker);
    drop(ManuallyDrop::into_inner(taker));
    Ok(result)
}
