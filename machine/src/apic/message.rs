//! Interrupts that a device sends as a write to memory (SDM 3A, 11.11).
//!
//! Invariant: a message names one CPU and one vector, and leaves no line to be masked or ended.

use super::local;
use sync::CpuId;

const WINDOW: u64 = 0xfee0_0000;

/// Where a device writes what.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Message {
    pub address: u64,
    pub data: u32,
}

/// The message that is `vector` on `cpu`; `None` when a message cannot name that CPU.
pub fn to(cpu: CpuId, vector: u8) -> Option<Message> {
    let id = u8::try_from(local::id_of(cpu)?).ok()?;
    Some(Message { address: WINDOW | u64::from(id) << 12, data: u32::from(vector) })
}
