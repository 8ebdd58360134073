//! The descriptor of a completion port, and the operations that are under way for it.
//!
//! Invariant: an operation has a record here from before anybody can end it until its completion was handed out. While a thread
//! works on a record it is not in the table; what happens to it meanwhile is noted in its place.

use alloc::collections::BTreeMap;
use alloc::string::String;
use alloc::sync::Arc;
use core::any::Any;

use abi::Errno;
use libkernel::ipc::{CompletionPort, OperationId};
use libkernel::wait::Timer;
use sync::{SpinLock, TaskContext, order};

use super::operation::Operation;
use super::rings::Submissions;
use crate::file::event::anonymous_attributes;
use crate::file::file::{File, QueueOwner, Queues};
use crate::file::in_flight::InFlight;
use crate::file::readiness::Readiness;
use crate::fs::Attributes;

/// The record of an operation.
enum Record {
    Here(Operation),
    /// A thread works on it; was it stirred meanwhile?
    Taken {
        is_stirred: bool,
    },
}

/// A port, in a program's hand.
pub struct Port {
    core: Arc<CompletionPort>,
    records: SpinLock<BTreeMap<OperationId, Record>, order::Port>,
    pub(super) submissions: Submissions,
}

impl Default for Port {
    fn default() -> Self {
        Self::new()
    }
}

impl Port {
    /// With nothing under way.
    pub fn new() -> Self {
        Self { core: CompletionPort::new(), records: SpinLock::new(BTreeMap::new()), submissions: Submissions::none() }
    }

    /// Where completions arrive.
    pub fn core(&self) -> &Arc<CompletionPort> {
        &self.core
    }

    /// Keeps an operation until it has ended.
    pub fn keep(&self, cx: &TaskContext, id: OperationId, operation: Operation) {
        self.records.lock(cx).insert(id, Record::Here(operation));
    }

    /// The same for one that ends at this time. Armed under the lock: it must not be over before its record is there.
    pub fn keep_until(&self, cx: &TaskContext, id: OperationId, timer: Timer, at: u64) {
        let mut records = self.records.lock(cx);
        timer.arm(at);
        records.insert(id, Record::Here(Operation::Timeout(timer)));
    }

    /// A thread begins to work on an operation.
    fn take(&self, cx: &TaskContext, id: OperationId) -> Option<Operation> {
        let mut records = self.records.lock(cx);
        let record = records.get_mut(&id)?;
        match core::mem::replace(record, Record::Taken { is_stirred: false }) {
            Record::Here(operation) => Some(operation),
            Record::Taken { .. } => {
                *record = Record::Taken { is_stirred: true };
                None
            }
        }
    }

    /// It goes on waiting.
    fn put_back(&self, cx: &TaskContext, id: OperationId, operation: Operation) {
        let before = self.records.lock(cx).insert(id, Record::Here(operation));
        if matches!(before, Some(Record::Taken { is_stirred: true })) {
            self.core.stir(cx, id);
        }
    }

    fn forget(&self, cx: &TaskContext, id: OperationId) {
        let record = self.records.lock(cx).remove(&id);
        drop(record);
    }

    /// Tries an operation that may be able to end now.
    pub fn advance(&self, cx: &mut TaskContext, id: OperationId) {
        let Some(mut operation) = self.take(cx, id) else { return };
        let result = match &mut operation {
            Operation::Transfer(transfer) => transfer.advance(cx, &self.core, id),
            _ => None,
        };
        match result {
            None => self.put_back(cx, id, operation),
            Some(result) => {
                drop(operation);
                self.forget(cx, id);
                self.core.finish(cx, id, result);
            }
        }
    }

    /// Tries all that were stirred.
    pub fn advance_all(&self, cx: &mut TaskContext) {
        while let Some(id) = self.core.take_stirred(cx) {
            self.advance(cx, id);
        }
    }

    /// Drops the records of operations whose completions were handed out.
    pub fn clear_spent(&self, cx: &TaskContext) {
        while let Some(id) = self.core.take_spent(cx) {
            self.forget(cx, id);
        }
    }

    fn cancel_all(&self, cx: &TaskContext) {
        let records = core::mem::take(&mut *self.records.lock(cx));
        drop(records);
    }
}

impl QueueOwner for CompletionPort {
    fn queues(&self) -> Queues<'_> {
        Queues::from_iter([self.arrived()])
    }
}

impl File for Port {
    fn as_any(&self) -> &dyn Any {
        self
    }

    fn attributes(&self, _cx: &mut TaskContext) -> Result<Attributes, Errno> {
        Ok(anonymous_attributes())
    }

    /// Also when a pending operation may have become possible: `io_wait` finds out.
    fn readiness(&self, cx: &mut TaskContext) -> Readiness {
        let mut ready = Readiness::empty();
        ready.set(Readiness::READ, self.core.has_news(cx));
        ready
    }

    fn queues(&self) -> Queues<'_> {
        Queues::from_iter([self.core.arrived()])
    }

    fn queue_owner(&self) -> Option<Arc<dyn QueueOwner>> {
        Some(self.core.clone())
    }

    fn is_keeper(&self) -> bool {
        true
    }

    fn for_each_held(&self, cx: &TaskContext, visit: &mut dyn FnMut(&InFlight)) {
        for record in self.records.lock(cx).values() {
            if let Record::Here(Operation::Transfer(transfer)) = record {
                visit(transfer.held());
            }
        }
    }

    fn let_go(&self, cx: &mut TaskContext) {
        self.cancel_all(cx);
    }

    fn label(&self) -> Option<String> {
        Some(String::from("anon_inode:[completion-port]"))
    }
}
