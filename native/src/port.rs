//! Completion ports: the one place where a program waits for everything.
//!
//! Invariant: an operation is in `pending` from before the kernel hears of it until its completion was taken or the port was closed.

use std::collections::HashMap;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::Mutex;
use std::time::Duration;

use abi::native::{Completion, Submission};

use crate::call::{self, IO_CREATE, IO_SUBMIT, IO_WAIT, number_of};
use crate::operation::{Done, Operation, Pending};

/// A port. Threads may submit at the same time; one may wait (a second gets `EBUSY`).
#[derive(Debug)]
pub struct Port {
    // Closed first: afterwards the kernel touches nothing of what is pending.
    fd: OwnedFd,
    pub(crate) ledger: Ledger,
}

/// What the kernel may be working on, by number.
#[derive(Default)]
pub(crate) struct Ledger(Mutex<Entries>);

#[derive(Default)]
struct Entries {
    next: u64,
    pending: HashMap<u64, Pending>,
}

/// At most so many completions are taken at a time.
const BATCH: usize = 64;

impl std::fmt::Debug for Ledger {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "{} pending", self.entries().pending.len())
    }
}

impl Ledger {
    fn entries(&self) -> std::sync::MutexGuard<'_, Entries> {
        self.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }

    pub(crate) fn enter(&self, operation: Operation) -> Submission {
        let mut entries = self.entries();
        let number = entries.next;
        entries.next += 1;
        // Entered first: what the kernel is told of stays where it is.
        entries.pending.entry(number).or_insert_with(|| Pending::new(operation)).submission(number)
    }

    /// The kernel did not take it.
    pub(crate) fn strike(&self, number: u64) {
        self.entries().pending.remove(&number);
    }

    /// `None` for a completion of somebody else's submission through a copy of the port.
    pub(crate) fn settle(&self, completion: &Completion) -> Option<Done> {
        let pending = self.entries().pending.remove(&completion.user_data)?;
        Some(pending.done(completion))
    }
}

impl Port {
    /// An empty port.
    pub fn new() -> io::Result<Self> {
        Ok(Port { fd: call::descriptor(IO_CREATE, [0, 0, 0])?, ledger: Ledger::default() })
    }

    /// Begins an operation; its completion has the number that is answered. `EAGAIN` when the port has no room.
    pub fn submit(&self, operation: Operation) -> io::Result<u64> {
        let entry = self.ledger.enter(operation);
        // SAFETY: one entry; what it points at is kept until it has completed or the port is closed.
        let accepted = unsafe { call::call(IO_SUBMIT, [number_of(&self.fd), &raw const entry as u64, 1, 0, 0]) };
        match accepted {
            Ok(1) => Ok(entry.user_data),
            refused => {
                self.ledger.strike(entry.user_data);
                Err(refused.err().unwrap_or_else(|| io::Error::from_raw_os_error(libc::EAGAIN)))
            }
        }
    }

    /// Waits until at least `least` operations have ended (0: only looks), at most so long.
    pub fn wait(&self, least: usize, timeout: Option<Duration>) -> io::Result<Vec<Done>> {
        let mut completions = [Completion::default(); BATCH];
        let least = least.min(BATCH) as u64;
        let nanoseconds = timeout.map_or(0, |span| u64::try_from(span.as_nanos()).unwrap_or(u64::MAX).max(1));
        let place = completions.as_mut_ptr() as u64;
        // SAFETY: the kernel writes at most `BATCH` completions, and into what is pending.
        let count = unsafe { call::call(IO_WAIT, [number_of(&self.fd), place, BATCH as u64, least, nanoseconds])? };
        let count = usize::try_from(count).unwrap_or(0).min(BATCH);
        Ok(completions[..count].iter().filter_map(|completion| self.ledger.settle(completion)).collect())
    }

    /// One operation's end.
    pub fn wait_for_one(&self) -> io::Result<Done> {
        let mut completion = Completion::default();
        loop {
            // SAFETY: room for one.
            unsafe { call::call(IO_WAIT, [number_of(&self.fd), &raw mut completion as u64, 1, 1, 0])? };
            if let Some(done) = self.ledger.settle(&completion) {
                return Ok(done);
            }
        }
    }
}

impl AsFd for Port {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }
}
