//! Message: what is sent at once, and who pays for it.
//!
//! Invariant: a charge counts for its sender from before the message is queued until the message is gone.

use alloc::boxed::Box;
use alloc::sync::Arc;
use alloc::vec::Vec;
use libkernel::memory::Room;

use abi::Errno;
use abi::socket::PeerCredentials;
use libkernel::memory::frames::{self, Shortage};
use sync::{PreemptOff, TaskContext};

use super::parcel::Parcel;
use super::socket::Socket;
use crate::fs::buffer::Source;

/// What a message takes besides its bytes.
const OVERHEAD: u64 = 512;

/// Bytes that were sent at once. They do not change any more.
pub struct Message {
    pub bytes: Vec<u8>,
    pub credentials: Option<PeerCredentials>,
    pub charge: Charge,
}

/// A message in a queue.
pub struct Queued {
    pub message: Arc<Message>,
    /// How much of it was received already.
    pub used: usize,
    pub parcel: Option<Box<Parcel>>,
}

/// A sender's debt.
pub struct Charge {
    sender: Arc<Socket>,
    amount: u64,
}

impl Charge {
    /// Notes that so many bytes are on their way.
    pub fn new(sender: &Arc<Socket>, bytes: usize) -> Self {
        let amount = bytes as u64 + OVERHEAD;
        sender.outstanding.fetch_add(amount);
        Self { sender: sender.clone(), amount }
    }

    /// Who sent it.
    pub fn sender(&self) -> &Arc<Socket> {
        &self.sender
    }
}

impl Drop for Charge {
    fn drop(&mut self) {
        let quarter = self.sender.settings.send_limit.load() / 4;
        let before = self.sender.outstanding.fetch_sub(self.amount);
        // Whoever waits found more than the limit, so this line is crossed after that.
        if before > quarter && before.saturating_sub(self.amount) <= quarter {
            self.sender.has_room(&PreemptOff::new());
        }
    }
}

/// Copies the bytes of a message out of where they are.
pub fn gather(cx: &mut TaskContext, from: &mut dyn Source, count: usize) -> Result<Vec<u8>, Errno> {
    if frames::shortage() == Shortage::Desperate {
        return Err(Errno::ENOBUFS);
    }
    let mut bytes = Vec::new();
    bytes.try_room_exact(count).map_err(|_| Errno::ENOBUFS)?;
    bytes.resize(count, 0);
    from.take(cx, &mut bytes)?;
    Ok(bytes)
}
