//! Signals that are read like a file: `signalfd`.
//!
//! Invariant: it shows whoever reads it the reader's own signals, so two processes that share one each read theirs.

use alloc::string::String;
use alloc::sync::Arc;
use core::any::Any;

use abi::Errno;
use abi::signal::{SignalInfo, SignalRecord, code};
use libkernel::census::{Census, Counted};
use sync::{Published, TaskContext};
use zerocopy::IntoBytes;

use crate::error::restarting;
use crate::file::event::anonymous_attributes;
use crate::file::file::{File, Manner, Queues};
use crate::file::readiness::Readiness;
use crate::fs::Attributes;
use crate::fs::buffer::{Sink, partial};
use crate::process::signals::{SignalSet, watch};
use crate::process::{Task, current};

/// Signal files in use.
pub static LIVING: Census = Census::new("signal files");

/// A file of signals.
pub struct SignalFile {
    _counted: Counted,
    wanted: Published<u64>,
}

impl SignalFile {
    /// Shows the signals of `wanted`.
    pub fn new(wanted: SignalSet) -> Self {
        Self { _counted: LIVING.count(), wanted: Published::<u64>::new(wanted.bits()) }
    }

    fn wanted(&self) -> SignalSet {
        SignalSet::from_bits(self.wanted.load())
    }

    /// Shows other signals from now on, to those too who wait.
    pub fn show(&self, cx: &TaskContext, wanted: SignalSet) {
        self.wanted.store(wanted.bits());
        watch::ARRIVED.wake_all(cx);
    }

    fn take(&self, cx: &TaskContext, task: &Arc<Task>) -> Option<SignalInfo> {
        if !watch::is_waiting(cx, task, self.wanted()) {
            return None;
        }
        let taken = task.process().signals.lock(cx).take(task.id(), self.wanted())?;
        task.process().interval.taken(cx, taken.signal.cast_unsigned());
        Some(taken)
    }
}

impl File for SignalFile {
    fn as_any(&self) -> &dyn Any {
        self
    }

    fn attributes(&self, _cx: &mut TaskContext) -> Result<Attributes, Errno> {
        Ok(anonymous_attributes())
    }

    fn read(&self, cx: &mut TaskContext, _at: u64, manner: Manner, into: &mut dyn Sink) -> Result<usize, Errno> {
        let task = current(cx).ok_or(Errno::EINVAL)?;
        if into.remaining() < size_of::<SignalRecord>() {
            return Err(Errno::EINVAL);
        }
        let mut next = match self.take(cx, &task) {
            None if manner.nonblocking => return Err(Errno::EAGAIN),
            None => Some(watch::ARRIVED.wait_until_or_interrupted(cx, |cx| self.take(cx, &task)).map_err(restarting)?),
            taken => taken,
        };
        let mut read = 0;
        while let Some(taken) = next {
            let record = record(&taken);
            // What a fault meets is taken, as Linux does; what was told before counts.
            if let Err(error) = into.put(cx, record.as_bytes()) {
                return partial(read, error);
            }
            read += size_of::<SignalRecord>();
            next = if into.remaining() < size_of::<SignalRecord>() { None } else { self.take(cx, &task) };
        }
        Ok(read)
    }

    fn readiness(&self, cx: &mut TaskContext) -> Readiness {
        let waits = current(cx).is_some_and(|task| watch::is_waiting(cx, &task, self.wanted()));
        if waits { Readiness::READ } else { Readiness::empty() }
    }

    fn queues(&self) -> Queues<'_> {
        Queues::from_iter([&watch::ARRIVED])
    }

    fn events(&self) -> u64 {
        watch::arrivals()
    }

    fn label(&self) -> Option<String> {
        Some(String::from("anon_inode:[signalfd]"))
    }
}

/// A signal as such a file shows it: `man 2 signalfd`.
fn record(taken: &SignalInfo) -> SignalRecord {
    let low = |field: usize| taken.fields[field] as u32;
    let high = |field: usize| (taken.fields[field] >> 32) as u32;
    let mut record = SignalRecord { signal: taken.signal.cast_unsigned(), errno: taken.errno, code: taken.code, ..SignalRecord::default() };
    if taken.code == code::TIMER {
        (record.timer, record.overrun) = (low(0), high(0));
        (record.number, record.pointer) = (low(1).cast_signed(), taken.fields[1]);
        return record;
    }
    let is_fault = taken.code > 0 && taken.code != code::KERNEL && SignalSet::SYNCHRONOUS.contains(record.signal);
    if is_fault {
        record.address = taken.fields[0];
        return record;
    }
    (record.process, record.user) = (low(0), high(0));
    if record.signal == abi::signal::SIGCHLD && taken.code > 0 {
        record.status = low(1).cast_signed();
        (record.user_time, record.system_time) = (taken.fields[2], taken.fields[3]);
    } else if taken.code < 0 {
        (record.number, record.pointer) = (low(1).cast_signed(), taken.fields[1]);
    }
    record
}

#[cfg(test)]
mod tests {
    use super::*;
    use abi::signal::*;

    #[test]
    fn a_queued_value_is_shown_as_number_and_as_pointer() {
        let mut sent = SignalInfo::new(40, code::QUEUE).with_sender(17, 1000);
        sent.fields[1] = 0x1_0000_0007;
        let shown = record(&sent);
        assert_eq!((shown.signal, shown.process, shown.user, shown.number, shown.pointer), (40, 17, 1000, 7, 0x1_0000_0007));
    }

    #[test]
    fn a_child_is_shown_with_its_status_and_a_fault_with_its_address() {
        let child = SignalInfo::new(SIGCHLD, code::CLD_EXITED).with_sender(17, 0).with_status(3);
        assert_eq!((record(&child).process, record(&child).status), (17, 3));
        let fault = SignalInfo::new(SIGSEGV, code::SEGV_MAPERR).with_address(0x1234);
        assert_eq!((record(&fault).address, record(&fault).process), (0x1234, 0));
    }
}
