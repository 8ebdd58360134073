//! Bytes out to a serial line.
//!
//! Invariant: the line's lock is held for one FIFO's worth of bytes at most, so no CPU waits long for it.

use libkernel::sched;
use machine::serial::Port;
use sync::{SpinLock, TaskContext, order};

/// What a 16550 takes at once.
const FIFO: usize = 16;

/// One serial line, for writing.
pub struct Output {
    port: SpinLock<Port, order::DeviceQueue>,
}

impl Output {
    pub const fn new(port: Port) -> Self {
        Output { port: SpinLock::new(port) }
    }

    /// Sends all bytes; gives the CPU away while the device has no room.
    pub fn write(&self, cx: &mut TaskContext, mut bytes: &[u8]) {
        while !bytes.is_empty() {
            let sent = self.write_some(cx, bytes);
            if sent == 0 {
                sched::yield_now(cx);
            }
            bytes = bytes.get(sent..).unwrap_or_default();
        }
    }

    fn write_some(&self, cx: &TaskContext, bytes: &[u8]) -> usize {
        let port = self.port.lock(cx);
        if !port.can_send() {
            return 0;
        }
        let sent = bytes.len().min(FIFO);
        for &byte in bytes.iter().take(sent) {
            port.send(byte);
        }
        sent
    }
}
