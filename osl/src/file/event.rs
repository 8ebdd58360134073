//! Event counters: `eventfd`.
//!
//! Invariant: the count stays below `u64::MAX`; a write that would reach it waits.

use alloc::string::String;
use core::any::Any;

use abi::Errno;
use libkernel::census::{Census, Counted};
use libkernel::clock;
use libkernel::wait::WaitQueue;
use sync::{Published, SpinLock, TaskContext, order};

use super::file::{File, Manner, Queues, written};
use super::readiness::Readiness;
use crate::error::restarting;
use crate::fs::Attributes;
use crate::fs::buffer::{Sink, Source};
use crate::fs::node::{Identity, Kind, Place, Written};

/// The file system number of files that have no name.
pub const ANONYMOUS_DEVICE: u64 = 14;
const LARGEST: u64 = u64::MAX - 1;

/// Event counters.
pub static LIVING: Census = Census::new("event counters");

/// A number that programs add to and wait on.
pub struct EventCounter {
    _counted: Counted,
    count: SpinLock<u64, order::Pipe>,
    one_by_one: bool,
    events: Published<u64>,
    changed: WaitQueue,
}

impl EventCounter {
    /// Starts at `count`; with `one_by_one` (`EFD_SEMAPHORE`) a read takes one.
    pub fn new(count: u64, one_by_one: bool) -> Self {
        Self {
            _counted: LIVING.count(),
            count: SpinLock::new(count),
            one_by_one,
            events: Published::<u64>::new(0),
            changed: WaitQueue::named("an event counter"),
        }
    }

    fn take(&self, cx: &TaskContext) -> Option<u64> {
        let mut count = self.count.lock(cx);
        let taken = if self.one_by_one { (*count).min(1) } else { *count };
        *count -= taken;
        (taken > 0).then_some(taken)
    }

    fn add(&self, cx: &TaskContext, amount: u64) -> Option<()> {
        let mut count = self.count.lock(cx);
        *count = count.checked_add(amount).filter(|&sum| sum <= LARGEST)?;
        Some(())
    }
}

/// What `fstat` tells of a file without a name.
pub fn anonymous_attributes() -> Attributes {
    let identity = Identity { file_system: ANONYMOUS_DEVICE, number: 1 };
    Attributes::plain(identity, Kind::Regular, 0o600, clock::wall_clock())
}

impl File for EventCounter {
    fn as_any(&self) -> &dyn Any {
        self
    }

    fn attributes(&self, _cx: &mut TaskContext) -> Result<Attributes, Errno> {
        Ok(anonymous_attributes())
    }

    fn read(&self, cx: &mut TaskContext, _at: u64, manner: Manner, into: &mut dyn Sink) -> Result<usize, Errno> {
        if into.remaining() < 8 {
            return Err(Errno::EINVAL);
        }
        let taken = match self.take(cx) {
            Some(taken) => taken,
            None if manner.nonblocking => return Err(Errno::EAGAIN),
            None => self.changed.wait_until_or_interrupted(cx, |cx| self.take(cx)).map_err(restarting)?,
        };
        self.events.fetch_add(1);
        self.changed.wake_all(cx);
        into.put(cx, &taken.to_ne_bytes())?;
        Ok(8)
    }

    fn write(&self, cx: &mut TaskContext, _place: Place, manner: Manner, from: &mut dyn Source) -> Result<Written, Errno> {
        if from.remaining() < 8 {
            return Err(Errno::EINVAL);
        }
        let mut bytes = [0; 8];
        from.take(cx, &mut bytes)?;
        let amount = u64::from_ne_bytes(bytes);
        if amount == u64::MAX {
            return Err(Errno::EINVAL);
        }
        if self.add(cx, amount).is_none() {
            if manner.nonblocking {
                return Err(Errno::EAGAIN);
            }
            self.changed.wait_until_or_interrupted(cx, |cx| self.add(cx, amount)).map_err(restarting)?;
        }
        self.events.fetch_add(1);
        self.changed.wake_all(cx);
        Ok(written(8))
    }

    fn readiness(&self, cx: &mut TaskContext) -> Readiness {
        let count = *self.count.lock(cx);
        let mut ready = Readiness::empty();
        ready.set(Readiness::READ, count > 0);
        ready.set(Readiness::WRITE, count < LARGEST);
        ready
    }

    fn queues(&self) -> Queues<'_> {
        Queues::from_iter([&self.changed])
    }

    fn events(&self) -> u64 {
        self.events.load()
    }

    fn label(&self) -> Option<String> {
        Some(String::from("anon_inode:[eventfd]"))
    }
}
