//! Completion ports: one queue where finished work of every kind arrives.
//!
//! ```text
//! begin -> pending <-> stirred      take_stirred: a thread looks whether it can be finished now
//!             |
//!          finished -> spent -> gone     finished: to be handed out; spent: handed out, its record may go
//! ```
//!
//! Invariant: a place is taken when an operation begins, and is its completion's until that has been handed out; so
//! finishing needs no memory, and none is lost. Each operation finishes once.

use super::places::{Finished, OperationId, Places};
use super::ring::CompletionRing;
use crate::census::{Census, Counted};
use crate::error::KernelError;
use crate::wait::{Alert, Deadline, TimerTarget, WaitQueue};
use alloc::sync::Arc;
use alloc::vec::Vec;
use sync::twin::{self, Twin};
use sync::{Allows, Flag, IrqContext, IrqOff, SpinLock, TaskContext, kind, order};

/// Ports in use.
pub static LIVING: Census = Census::new("completion ports");

struct State {
    places: Places,
    ring: Option<CompletionRing>,
}

pub struct CompletionPort {
    _counted: Counted,
    state: SpinLock<State, order::CompletionPort>,
    /// A thread takes completions now.
    has_taker: Flag,
    /// Of those who wait in it only the taker takes; all others watch. So one wake is enough, whichever condition the taker has.
    arrived: WaitQueue,
}

/// The right to take completions, for one thread at a time.
#[must_use]
pub struct Taker<'a>(&'a CompletionPort);

impl Drop for Taker<'_> {
    fn drop(&mut self) {
        self.0.has_taker.clear();
    }
}

impl CompletionPort {
    pub fn new() -> Arc<Self> {
        Arc::new(CompletionPort {
            _counted: LIVING.count(),
            state: SpinLock::new(State { places: Places::new(), ring: None }),
            has_taker: Flag::new(false),
            arrived: WaitQueue::named("a completion"),
        })
    }

    /// An operation begins, if there is room for its completion.
    pub fn begin(&self, cx: &TaskContext, user_data: u64, opcode: u32) -> Option<OperationId> {
        loop {
            let wanted = match self.state.lock(cx).places.begin(user_data, opcode) {
                Ok(id) => return Some(id),
                Err(wanted) => wanted?,
            };
            // Memory is had outside of the lock, and dropped there too if another was quicker.
            let mut larger = Vec::new();
            larger.try_reserve_exact(wanted).ok()?;
            let rest = self.state.lock(cx).places.grow_into(larger);
            drop(rest);
        }
    }

    /// An operation has ended with this result. From anywhere; nothing happens if it has ended before.
    pub fn finish<X: Allows<kind::Irq>>(&self, context: &X, id: OperationId, result: i64) {
        if twin::is(Twin::CompletionAfterWake) {
            self.arrived.wake_one(context);
            self.place_result(context, id, result);
        } else if self.place_result(context, id, result) {
            self.arrived.wake_one(context);
        }
    }

    /// As `finish`, and hands the CPU to the thread that waits for completions.
    pub fn finish_donating(&self, cx: &TaskContext, id: OperationId, result: i64) {
        if self.place_result(cx, id, result) {
            self.arrived.wake_one_donating(cx);
        }
    }

    fn place_result<X: Allows<kind::Irq>>(&self, context: &X, id: OperationId, result: i64) -> bool {
        let mut state = self.state.lock(context);
        let is_new = state.places.finish(id, result);
        state.flush();
        is_new
    }

    /// Something happened that may let a pending operation end: somebody who may has to look. From anywhere.
    pub fn stir<X: Allows<kind::Irq>>(&self, context: &X, id: OperationId) {
        let is_new = self.state.lock(context).places.stir(id);
        if is_new {
            self.arrived.wake_one(context);
        }
    }

    /// As `stir`, and hands the CPU to the thread that has to look.
    pub fn stir_donating(&self, cx: &TaskContext, id: OperationId) {
        let is_new = self.state.lock(cx).places.stir(id);
        if is_new {
            self.arrived.wake_one_donating(cx);
        }
    }

    /// An operation to look at.
    pub fn take_stirred(&self, cx: &TaskContext) -> Option<OperationId> {
        self.state.lock(cx).places.take_stirred()
    }

    /// An operation whose completion has been handed out; its place is free again.
    pub fn take_spent(&self, cx: &TaskContext) -> Option<OperationId> {
        self.state.lock(cx).places.take_spent()
    }

    /// The right to take completions; `Busy` while another thread has it.
    pub fn taker(&self) -> Result<Taker<'_>, KernelError> {
        if self.has_taker.claim() || twin::is(Twin::SecondTaker) { Ok(Taker(self)) } else { Err(KernelError::Busy) }
    }

    /// Woken when something has finished or was stirred.
    pub fn arrived(&self) -> &WaitQueue {
        &self.arrived
    }

    /// Is there something to take or to look at?
    pub fn has_news<X: Allows<kind::Irq>>(&self, context: &X) -> bool {
        let state = self.state.lock(context);
        state.places.has_news() || state.ring.as_ref().is_some_and(|ring| ring.ready() != 0)
    }

    /// From now on completions go into the ring. `Busy` when there is one already.
    pub fn set_ring(&self, cx: &TaskContext, ring: CompletionRing) -> Result<(), KernelError> {
        let mut state = self.state.lock(cx);
        if state.ring.is_some() {
            return Err(KernelError::Busy);
        }
        state.ring = Some(ring);
        state.flush();
        Ok(())
    }

    pub fn has_ring(&self, cx: &TaskContext) -> bool {
        self.ring_entries(cx).is_some()
    }

    /// How many completions the ring has room for, if there is one.
    pub fn ring_entries(&self, cx: &TaskContext) -> Option<u32> {
        self.state.lock(cx).ring.as_ref().map(CompletionRing::entries)
    }

    /// How many completions are in the ring, after all that there is room for was put into it. `Invalid` when the ring's
    /// indices make no sense, or there is no ring.
    pub fn ready_in_ring(&self, cx: &TaskContext) -> Result<u32, KernelError> {
        let mut state = self.state.lock(cx);
        state.flush();
        let ring = state.ring.as_mut().ok_or(KernelError::Invalid)?;
        ring.check()?;
        Ok(ring.ready())
    }
}

impl State {
    /// Moves what has finished into the ring, as far as there is a ring and room in it.
    fn flush(&mut self) {
        let Some(ring) = &mut self.ring else { return };
        while let Some(first) = self.places.first_finished() {
            if !ring.put(&first) {
                return;
            }
            self.places.spend(1);
        }
    }
}

impl Taker<'_> {
    /// The completions that are next, as many as there are and fit; they stay until they are handed out.
    pub fn look(&self, cx: &TaskContext, into: &mut [Finished]) -> usize {
        self.0.state.lock(cx).places.look(into)
    }

    /// So many of them have been handed out.
    pub fn handed_out(&self, cx: &TaskContext, count: usize) {
        self.0.state.lock(cx).places.spend(count);
    }

    /// Waits for something to take or to look at.
    pub fn wait(&self, cx: &mut TaskContext, deadline: Deadline) -> Result<(), KernelError> {
        self.0.arrived.wait_until_or(cx, deadline, true, |cx| self.0.state.lock(cx).places.has_news().then_some(()))
    }

    /// Waits until something is to be looked at, or so many completions are in the ring.
    pub fn wait_for_ring(&self, cx: &mut TaskContext, least: u32) -> Result<(), KernelError> {
        self.0.arrived.wait_until_or_interrupted(cx, |cx| {
            let mut state = self.0.state.lock(cx);
            state.flush();
            let ready = state.ring.as_ref().map_or(u32::MAX, CompletionRing::ready);
            (state.places.has_stirred() || ready >= least).then_some(())
        })
    }
}

/// Ends an operation, or has it looked at, when it is called.
pub struct Bell {
    pub port: Arc<CompletionPort>,
    pub id: OperationId,
}

impl Alert for Bell {
    fn ring(&self, donor: Option<&TaskContext>) {
        match donor {
            Some(cx) => self.port.stir_donating(cx, self.id),
            None => self.port.stir(&IrqOff::new(), self.id),
        }
    }
}

impl TimerTarget for Bell {
    fn expired(&self, context: &IrqContext) {
        self.port.finish(context, self.id, 0);
    }
}

#[cfg(test)]
#[path = "completion_port_tests.rs"]
mod tests;
