//! What a port can be asked for, and what comes back.
//!
//! Invariant: a pending operation owns the memory that the kernel reads and writes for it; it does not move until it is done.

use std::io;
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::time::Duration;

use abi::native::{Completion, Message as Raw, Submission, opcode};

use crate::channel::{Message, Received, Receiver, Sender};
use crate::interrupt::InterruptLine;
use crate::notification::Notification;

/// One operation. Descriptors are kept open by the port until it is done.
#[derive(Debug)]
pub enum Operation {
    /// Completes at once.
    Nothing,
    /// Completes after so long.
    Timeout(Duration),
    /// Reads up to the buffer's length, at `offset` where the file has positions.
    Read { file: OwnedFd, buffer: Vec<u8>, offset: u32 },
    /// Writes the buffer.
    Write { file: OwnedFd, buffer: Vec<u8>, offset: u32 },
    /// The next interrupt of a device.
    WaitForInterrupt(InterruptLine),
    /// Sends a message, with the descriptors in it.
    Send { to: Sender, tag: u64, data: [u64; 3], handles: Vec<OwnedFd> },
    /// Receives one message.
    Receive(Receiver),
    /// The next signal of a notification.
    WaitForNotification(Notification),
}

/// An operation that has ended.
#[derive(Debug)]
pub struct Done {
    /// The number that its submission was given.
    pub number: u64,
    /// How it ended; the error is the operation's own.
    pub outcome: io::Result<Outcome>,
    /// The operation with what it was given: buffers and descriptors come back.
    pub operation: Operation,
}

/// What a successful operation gives.
#[derive(Debug)]
pub enum Outcome {
    /// Nothing but that it is done.
    Done,
    /// So many bytes; a read's are at the front of its buffer.
    Bytes(usize),
    /// So many interrupts since the last wait.
    Interrupts(u64),
    /// A message.
    Message(Received),
}

/// An operation that the kernel may be working on.
pub(crate) struct Pending {
    operation: Operation,
    /// Where the kernel reads or writes a message; boxed, so that it stays where it is.
    message: Option<Box<Raw>>,
}

impl Pending {
    pub(crate) fn new(operation: Operation) -> Self {
        let message = match &operation {
            Operation::Send { tag, data, handles, .. } => {
                let mut message = Message::new(*tag, *data);
                for handle in handles {
                    message = message.with(handle.as_fd());
                }
                Some(Box::new(message.as_raw()))
            }
            Operation::Receive(_) => Some(Box::new(Raw::default())),
            _ => None,
        };
        Pending { operation, message }
    }

    /// As the kernel reads it. Its addresses are good until the value is dropped.
    pub(crate) fn submission(&mut self, number: u64) -> Submission {
        let mut entry = Submission { user_data: number, fd: abi::native::NO_FD, ..Submission::default() };
        if let Some(message) = &mut self.message {
            entry.buffer = &raw mut **message as u64;
            entry.length = size_of::<Raw>() as u32;
        }
        let raw = |fd: &dyn AsRawFdOf| fd.number();
        match &mut self.operation {
            Operation::Nothing => entry.opcode = opcode::NOTHING,
            Operation::Timeout(after) => {
                entry.opcode = opcode::TIMEOUT;
                entry.timeout_nanoseconds = u64::try_from(after.as_nanos()).unwrap_or(u64::MAX);
            }
            Operation::Read { file, buffer, offset } | Operation::Write { file, buffer, offset } => {
                entry.fd = raw(file);
                entry.buffer = buffer.as_mut_ptr() as u64;
                entry.length = u32::try_from(buffer.len()).unwrap_or(u32::MAX);
                entry.offset = *offset;
            }
            Operation::WaitForInterrupt(line) => (entry.opcode, entry.fd) = (opcode::WAIT_FOR_INTERRUPT, raw(line)),
            Operation::Send { to, .. } => (entry.opcode, entry.fd) = (opcode::SEND, raw(to)),
            Operation::Receive(from) => (entry.opcode, entry.fd) = (opcode::RECEIVE, raw(from)),
            Operation::WaitForNotification(of) => (entry.opcode, entry.fd) = (opcode::WAIT_FOR_NOTIFICATION, raw(of)),
        }
        match self.operation {
            Operation::Read { .. } => entry.opcode = opcode::READ,
            Operation::Write { .. } => entry.opcode = opcode::WRITE,
            _ => {}
        }
        entry
    }

    /// The kernel is done with it.
    pub(crate) fn done(self, completion: &Completion) -> Done {
        let outcome = match completion.result {
            error if error < 0 => Err(io::Error::from_raw_os_error(i32::try_from(-error).unwrap_or(libc::EIO))),
            count => Ok(self.outcome(count.unsigned_abs())),
        };
        Done { number: completion.user_data, outcome, operation: self.operation }
    }

    fn outcome(&self, count: u64) -> Outcome {
        match (&self.operation, &self.message) {
            (Operation::Read { .. } | Operation::Write { .. }, _) => Outcome::Bytes(usize::try_from(count).unwrap_or(usize::MAX)),
            (Operation::WaitForInterrupt(_), _) => Outcome::Interrupts(count),
            // SAFETY: the kernel's completion says that the receive has succeeded, and a pending operation is done once.
            (Operation::Receive(_), Some(message)) => Outcome::Message(unsafe { Received::from_raw(message) }),
            _ => Outcome::Done,
        }
    }
}

/// A descriptor's number, of whatever owns it.
trait AsRawFdOf {
    fn number(&self) -> i32;
}

impl<T: AsFd> AsRawFdOf for T {
    fn number(&self) -> i32 {
        self.as_fd().as_raw_fd()
    }
}
