//! A thread that waits until its message is taken.
//!
//! Invariant: the outcome is written once, before the thread is woken.

use super::channel::Ticket;
use crate::error::KernelError;
use crate::wait::WaitQueue;
use sync::twin::{self, Twin};
use sync::{IrqOff, Published, TaskContext};

const OPEN: u8 = 0;
const ACCEPTED: u8 = 1;
const REFUSED: u8 = 2;

pub(super) struct WaitingSender {
    outcome: Published<u8>,
    settled: WaitQueue,
}

impl WaitingSender {
    pub fn new() -> Self {
        WaitingSender { outcome: Published::<u8>::new(OPEN), settled: WaitQueue::named("a receiver for a message") }
    }

    fn outcome(&self) -> Option<Result<(), KernelError>> {
        match self.outcome.load() {
            OPEN => None,
            ACCEPTED => Some(Ok(())),
            _ => Some(Err(KernelError::Gone)),
        }
    }

    /// The outcome, or `Err` when the thread was interrupted before.
    pub fn wait(&self, cx: &mut TaskContext) -> Result<Result<(), KernelError>, KernelError> {
        self.settled.wait_until_or_interrupted(cx, |_| self.outcome())
    }

    /// The outcome, which is certain to come soon.
    pub fn wait_for_the_word(&self, cx: &mut TaskContext) -> Result<(), KernelError> {
        self.settled.wait_until(cx, |_| self.outcome())
    }
}

impl Ticket for WaitingSender {
    fn settle(&self, accepted: bool) {
        if twin::is(Twin::OutcomeAfterWake) {
            self.settled.wake_one(&IrqOff::new());
        }
        self.outcome.store(if accepted { ACCEPTED } else { REFUSED });
        if !twin::is(Twin::OutcomeAfterWake) {
            self.settled.wake_one(&IrqOff::new());
        }
    }
}
