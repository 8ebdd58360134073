//! What a port remembers of an operation that has not ended, so that it can be cancelled.
//!
//! Invariant: dropping an operation cancels it: afterwards nobody ends it.

use alloc::sync::Arc;

use libkernel::ipc::{CompletionPort, InterruptLine, Notification, OperationId, Ticket};
use libkernel::wait::Timer;
use sync::{IrqOff, PreemptOff};

use super::channel::FileChannel;
use super::transfer::Transfer;

/// An operation under way.
pub enum Operation {
    /// Ends when its time has come.
    Timeout(Timer),
    Transfer(Transfer),
    Send(Sending),
    Interrupt(Armed<InterruptLine>),
    Notification(Armed<Notification>),
}

/// A message that waits in its channel.
pub struct Sending {
    pub channel: Arc<FileChannel>,
    pub ticket: Arc<dyn Ticket>,
}

impl Drop for Sending {
    fn drop(&mut self) {
        // Its files are dropped where preemption is on again: that may sleep.
        let message = self.channel.withdraw(&PreemptOff::new(), &self.ticket);
        drop(message);
    }
}

/// Ends a send when its message is taken.
pub struct Letter {
    pub port: Arc<CompletionPort>,
    pub id: OperationId,
}

impl Ticket for Letter {
    fn settle(&self, accepted: bool) {
        let result = if accepted { 0 } else { abi::Errno::EPIPE.as_result() };
        self.port.finish(&IrqOff::new(), self.id, result);
    }
}

/// Something that ends an operation when it happens.
pub trait Source {
    /// Forgets the operation.
    fn disarm(&self, port: &Arc<CompletionPort>, id: OperationId);
}

impl Source for InterruptLine {
    fn disarm(&self, port: &Arc<CompletionPort>, id: OperationId) {
        InterruptLine::disarm(self, port, id);
    }
}

impl Source for Notification {
    fn disarm(&self, port: &Arc<CompletionPort>, id: OperationId) {
        Notification::disarm(self, port, id);
    }
}

/// An operation that a source knows of.
pub struct Armed<S: Source> {
    pub source: Arc<S>,
    pub port: Arc<CompletionPort>,
    pub id: OperationId,
}

impl<S: Source> Drop for Armed<S> {
    fn drop(&mut self) {
        self.source.disarm(&self.port, self.id);
    }
}
