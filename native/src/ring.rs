//! Ring mode: submissions and completions through shared memory.
//!
//! Invariant: this side writes the submission ring's tail and the completion ring's head, and no other word; a tail is stored after the
//! entries before it, and read before the entries behind it.

use std::io;
use std::os::fd::{AsFd, FromRawFd, OwnedFd};
use std::sync::atomic::Ordering::{Acquire, Relaxed, Release};

use abi::native::{Completion, RING_ENTRIES_AT, RingParams, Submission};
use zerocopy::{FromBytes, IntoBytes};

use crate::call::{self, IO_RING_ENTER, IO_SETUP_RINGS, number_of};
use crate::mapping::Mapping;
use crate::operation::{Done, Operation};
use crate::port::Port;

const PAGE: usize = 4096;
const HEAD: usize = 0;
const TAIL: usize = 4;

/// A port in ring mode, for one thread.
#[derive(Debug)]
pub struct RingPort {
    // The port is closed before its rings are unmapped.
    port: Port,
    submissions: Mapping,
    completions: Mapping,
    submission_entries: u32,
    completion_entries: u32,
    /// Entered in the ring, and not yet handed to the kernel.
    fresh: u32,
}

impl RingPort {
    /// Puts a new port into ring mode, with about so many entries (powers of two; at most 64 and 128).
    pub fn new(submissions: u32, completions: u32) -> io::Result<Self> {
        let port = Port::new()?;
        let mut wanted = RingParams { submission_entries: submissions, completion_entries: completions, ..RingParams::default() };
        // SAFETY: the parameters live through the call.
        unsafe { call::call(IO_SETUP_RINGS, [number_of(&port.as_fd()), &raw mut wanted as u64, 0, 0, 0])? };
        // SAFETY: both descriptors have just been made, for us.
        let [submission_fd, completion_fd] = [wanted.submission_fd, wanted.completion_fd].map(|fd| unsafe { OwnedFd::from_raw_fd(fd) });
        Ok(RingPort {
            port,
            submissions: Mapping::of(submission_fd.as_fd(), PAGE)?,
            completions: Mapping::of(completion_fd.as_fd(), PAGE)?,
            submission_entries: wanted.submission_entries,
            completion_entries: wanted.completion_entries,
            fresh: 0,
        })
    }

    /// Enters an operation in the ring; `enter` hands it over. `None` when the ring is full: it comes back.
    pub fn push(&mut self, operation: Operation) -> Result<u64, Operation> {
        let tail = self.submissions.word(TAIL).load(Relaxed);
        let used = tail.wrapping_sub(self.submissions.word(HEAD).load(Acquire));
        if used >= self.submission_entries {
            return Err(operation);
        }
        let entry = self.port.ledger.enter(operation);
        let place = RING_ENTRIES_AT + (tail & (self.submission_entries - 1)) as usize * size_of::<Submission>();
        self.submissions.write(place, entry.as_bytes());
        self.submissions.word(TAIL).store(tail.wrapping_add(1), Release);
        self.fresh += 1;
        Ok(entry.user_data)
    }

    /// Hands over what was entered, and waits until `least` completions are there. How many are.
    pub fn enter(&mut self, least: u32) -> io::Result<u32> {
        let ready = call_enter(&self.port, self.fresh, least)?;
        self.fresh = 0;
        Ok(u32::try_from(ready).unwrap_or(u32::MAX))
    }

    /// The next completion, if one is there.
    pub fn pop(&mut self) -> Option<Done> {
        loop {
            let head = self.completions.word(HEAD).load(Relaxed);
            if self.completions.word(TAIL).load(Acquire) == head {
                return None;
            }
            let place = RING_ENTRIES_AT + (head & (self.completion_entries - 1)) as usize * size_of::<Completion>();
            let mut bytes = [0; size_of::<Completion>()];
            self.completions.read(place, &mut bytes);
            self.completions.word(HEAD).store(head.wrapping_add(1), Release);
            let completion = Completion::read_from_bytes(&bytes).ok()?;
            if let Some(done) = self.port.ledger.settle(&completion) {
                return Some(done);
            }
        }
    }
}

fn call_enter(port: &Port, submitted: u32, least: u32) -> io::Result<u64> {
    // SAFETY: no pointers; what the entries point at is kept in the port's ledger.
    unsafe { call::call(IO_RING_ENTER, [number_of(&port.as_fd()), u64::from(submitted), u64::from(least), 0, 0]) }
}
