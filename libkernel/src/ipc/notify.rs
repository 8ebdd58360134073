//! Notifications: a signal from one program to another's port.
//!
//! Invariant: a signal is remembered, or ends an operation that waits for it, never both; signals that nobody has taken
//! yet are one.

use super::completion_port::CompletionPort;
use super::places::OperationId;
use crate::census::{Census, Counted};
use crate::error::KernelError;
use crate::wait::WaitQueue;
use alloc::sync::Arc;
use sync::twin::{self, Twin};
use sync::{PreemptOff, SpinLock, TaskContext, order};

/// Notifications in use.
pub static LIVING: Census = Census::new("notifications");

#[derive(Default)]
struct State {
    is_signalled: bool,
    waiter: Option<(Arc<CompletionPort>, OperationId)>,
}

pub struct Notification {
    _counted: Counted,
    state: SpinLock<State, order::Notification>,
    /// Woken by a signal that nobody has taken yet.
    signalled: WaitQueue,
}

impl Notification {
    pub fn new() -> Arc<Self> {
        let state = SpinLock::new(State::default());
        Arc::new(Notification { _counted: LIVING.count(), state, signalled: WaitQueue::named("a notification") })
    }

    /// Ends the operation that waits, and hands it the CPU; else remembers.
    pub fn signal(&self, cx: &TaskContext) {
        let mut state = self.state.lock(cx);
        let waiter = state.waiter.take();
        state.is_signalled |= waiter.is_none();
        drop(state);
        match waiter {
            Some((port, id)) => port.finish_donating(cx, id, 0),
            None => self.signalled.wake_all(cx),
        }
    }

    /// The operation ends with the next signal, or at once if there was one. `Busy` when another waits.
    pub fn arm(&self, cx: &TaskContext, port: &Arc<CompletionPort>, id: OperationId) -> Result<(), KernelError> {
        let mut state = self.state.lock(cx);
        if state.waiter.is_some() {
            return Err(KernelError::Busy);
        }
        if !state.is_signalled {
            if twin::is(Twin::ArmsAfterLooking) {
                drop(state);
                state = self.state.lock(cx);
            }
            state.waiter = Some((Arc::clone(port), id));
            return Ok(());
        }
        state.is_signalled = false;
        drop(state);
        port.finish(cx, id, 0);
        Ok(())
    }

    /// The operation waits no longer.
    pub fn disarm(&self, port: &Arc<CompletionPort>, id: OperationId) {
        let off = PreemptOff::new();
        let mut state = self.state.lock(&off);
        let is_it = state.waiter.as_ref().is_some_and(|(other, armed)| Arc::ptr_eq(other, port) && *armed == id);
        let waiter = if is_it { state.waiter.take() } else { None };
        drop(state);
        drop(waiter);
    }

    pub fn is_signalled(&self, cx: &TaskContext) -> bool {
        self.state.lock(cx).is_signalled
    }

    pub fn signalled(&self) -> &WaitQueue {
        &self.signalled
    }
}
