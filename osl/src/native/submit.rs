//! Operations begin.
//!
//! Invariant: whatever is wrong with an entry is its own completion's result; the others go on.

use alloc::sync::Arc;

use abi::Errno;
use abi::native::{Submission, opcode};
use libkernel::address_space::UserAddress;
use libkernel::clock;
use libkernel::ipc::{Bell, OperationId};
use libkernel::wait::Timer;
use sync::TaskContext;

use super::operation::{Armed, Letter, Operation, Sending};
use super::port::Port;
use super::space::Owner;
use super::transfer::{Direction, Transfer};
use super::{InterruptFile, NotificationFile, SendEnd, messages};
use crate::error::errno;
use crate::file::{FileTable, OpenFile};

/// Who asks: the running program.
pub struct Asker<'a> {
    /// Its descriptors.
    pub files: &'a Arc<FileTable>,
    /// Made for each operation that will use its memory later.
    pub owner: &'a dyn Fn() -> Owner,
}

impl Port {
    /// Begins an operation; `false` when there is no room for its completion.
    pub fn submit(&self, cx: &mut TaskContext, asker: &Asker<'_>, entry: &Submission) -> bool {
        let begin = |cx: &TaskContext| self.core().begin(cx, entry.user_data, entry.opcode);
        let id = begin(cx).or_else(|| {
            self.clear_spent(cx);
            begin(cx)
        });
        let Some(id) = id else { return false };
        if let Err(error) = self.start(cx, asker, entry, id) {
            self.core().finish(cx, id, error.as_result());
        }
        true
    }

    fn start(&self, cx: &mut TaskContext, asker: &Asker<'_>, entry: &Submission, id: OperationId) -> Result<(), Errno> {
        if entry.flags != 0 {
            return Err(Errno::EINVAL);
        }
        match entry.opcode {
            opcode::NOTHING => self.core().finish(cx, id, 0),
            opcode::TIMEOUT => self.start_timeout(cx, entry.timeout_nanoseconds, id),
            opcode::READ => return self.start_transfer(cx, asker, entry, Direction::Read, id),
            opcode::WRITE => return self.start_transfer(cx, asker, entry, Direction::Write, id),
            opcode::RECEIVE => return self.start_transfer(cx, asker, entry, Direction::Receive, id),
            opcode::SEND => return self.start_send(cx, asker, entry, id),
            opcode::WAIT_FOR_INTERRUPT => {
                let open = asker.files.get_usable(cx, entry.fd)?;
                let line = open.file().as_any().downcast_ref::<InterruptFile>().ok_or(Errno::EBADF)?.0.clone();
                let armed = Armed { source: line.clone(), port: self.core().clone(), id };
                self.keep(cx, id, Operation::Interrupt(armed));
                return line.arm(cx, self.core(), id).map_err(errno);
            }
            opcode::WAIT_FOR_NOTIFICATION => {
                let open = asker.files.get_usable(cx, entry.fd)?;
                let notification = open.file().as_any().downcast_ref::<NotificationFile>().ok_or(Errno::EBADF)?.0.clone();
                let armed = Armed { source: notification.clone(), port: self.core().clone(), id };
                self.keep(cx, id, Operation::Notification(armed));
                return notification.arm(cx, self.core(), id).map_err(errno);
            }
            _ => return Err(Errno::EINVAL),
        }
        Ok(())
    }

    fn start_timeout(&self, cx: &TaskContext, nanoseconds: u64, id: OperationId) {
        let timer = Timer::new(Arc::new(Bell { port: self.core().clone(), id }));
        self.keep_until(cx, id, timer, clock::now().saturating_add(nanoseconds));
    }

    fn start_transfer(
        &self,
        cx: &mut TaskContext,
        asker: &Asker<'_>,
        entry: &Submission,
        direction: Direction,
        id: OperationId,
    ) -> Result<(), Errno> {
        let open = asker.files.get_usable(cx, entry.fd)?;
        let owner = (asker.owner)();
        let transfer = Transfer::new(direction, open, owner, entry.buffer, entry.length, entry.offset)?;
        self.keep(cx, id, Operation::Transfer(transfer));
        self.advance(cx, id);
        Ok(())
    }

    fn start_send(&self, cx: &mut TaskContext, asker: &Asker<'_>, entry: &Submission, id: OperationId) -> Result<(), Errno> {
        let open: Arc<OpenFile> = asker.files.get_usable(cx, entry.fd)?;
        let channel = open.file().as_any().downcast_ref().map(SendEnd::channel).cloned().ok_or(Errno::EBADF)?;
        let message = messages::copy_in(cx, asker.files, UserAddress::new(entry.buffer))?;
        let ticket: Arc<dyn libkernel::ipc::Ticket> = Arc::new(Letter { port: self.core().clone(), id });
        self.keep(cx, id, Operation::Send(Sending { channel: channel.clone(), ticket: ticket.clone() }));
        channel.post(cx, message, &ticket).map_err(errno)
    }
}
