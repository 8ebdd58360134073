//! msgget, msgsnd, msgrcv, msgctl: queues of messages that programs find by a number or a key.
//!
//! Invariant: a message is copied in before its queue is locked, and copied out after it was taken; a fault there loses it, as Linux does.

use alloc::sync::Arc;
use alloc::vec::Vec;

use abi::Errno;
use libkernel::address_space::{UserAddress, user};
use libkernel::memory::Room as _;

use super::super::Caller;
use super::message_text::{self as text, InUse, QueueText};
use crate::credentials::Credentials;
use crate::error::errno;
use crate::system_v::message_queue::{Kind, Message, Queue, Wanted};
use crate::system_v::message_queues::{self, MOST_IN_A_QUEUE, MOST_OF_ONE, Wish};
use crate::system_v::rights::READ;

const IPC_CREAT: u32 = 0o1000;
const IPC_EXCL: u32 = 0o2000;
const IPC_NOWAIT: u32 = 0o4000;
const MSG_NOERROR: u32 = 0o10000;
const MSG_EXCEPT: u32 = 0o20000;
const MSG_COPY: u32 = 0o40000;
const IPC_RMID: i32 = 0;
const IPC_SET: i32 = 1;
const IPC_STAT: i32 = 2;
const IPC_INFO: i32 = 3;
const MSG_STAT: i32 = 11;
const MSG_INFO: i32 = 12;
const MSG_STAT_ANY: i32 = 13;
/// A message's type stands before its bytes.
const TYPE_BYTES: u64 = 8;

pub fn msgget(caller: &mut Caller<'_>, key: i32, flags: u32) -> Result<i32, Errno> {
    let wish = Wish { key, mode: flags & 0o777, create: flags & IPC_CREAT != 0, exclusive: flags & IPC_EXCL != 0 };
    message_queues::find_or_make(caller.cx, &caller.credentials(), wish)
}

/// The bytes after the type.
fn bytes_at(at: UserAddress) -> Result<UserAddress, Errno> {
    at.as_u64().checked_add(TYPE_BYTES).map(UserAddress::new).ok_or(Errno::EFAULT)
}

pub fn msgsnd(caller: &mut Caller<'_>, number: i32, at: UserAddress, length: u64, flags: u32) -> Result<(), Errno> {
    let kind: i64 = user::copy_in_value(caller.cx, at).map_err(errno)?;
    if length > MOST_OF_ONE.load() || number < 0 || kind < 1 {
        return Err(Errno::EINVAL);
    }
    let length = usize::try_from(length).map_err(|_| Errno::EINVAL)?;
    let mut bytes = Vec::new();
    bytes.try_room_exact(length).map_err(|_| Errno::ENOMEM)?;
    bytes.resize(length, 0);
    user::copy_in(caller.cx, bytes_at(at)?, &mut bytes).map_err(errno)?;
    let queue = message_queues::get(caller.cx, number)?;
    let (credentials, process) = (caller.credentials(), caller.task.process().id());
    message_queues::send(caller.cx, &credentials, process, &queue, Message { kind, bytes }, flags & IPC_NOWAIT == 0)
}

/// Which message a type and flags ask for.
fn kind_of(asked: i64, flags: u32) -> Kind {
    match asked {
        0 => Kind::Any,
        i64::MIN..0 => Kind::Lowest(asked.checked_neg().unwrap_or(i64::MAX)),
        _ if flags & MSG_EXCEPT != 0 => Kind::Other(asked),
        _ => Kind::Equal(asked),
    }
}

pub fn msgrcv(caller: &mut Caller<'_>, number: i32, at: UserAddress, room: u64, asked: i64, flags: u32) -> Result<u64, Errno> {
    if number < 0 || i64::try_from(room).is_err() {
        return Err(Errno::EINVAL);
    }
    let (cut, may_wait) = (flags & MSG_NOERROR != 0, flags & IPC_NOWAIT == 0);
    if flags & MSG_COPY != 0 && (flags & MSG_EXCEPT != 0 || may_wait) {
        return Err(Errno::EINVAL);
    }
    let room = usize::try_from(room).map_err(|_| Errno::EINVAL)?;
    let credentials = caller.credentials();
    let queue = message_queues::get(caller.cx, number)?;
    let message = if flags & MSG_COPY != 0 {
        message_queues::with(caller.cx, Some(&credentials), READ, &queue, |state| state.copy_of(asked, room, cut))?
    } else {
        let wanted = Wanted { kind: kind_of(asked, flags), room, cut, process: caller.task.process().id() };
        message_queues::receive(caller.cx, &credentials, &queue, wanted, may_wait)?
    };
    user::copy_out_value(caller.cx, at, &message.kind).map_err(errno)?;
    let told = message.bytes.get(..room).unwrap_or(&message.bytes);
    user::copy_out(caller.cx, bytes_at(at)?, told).map_err(errno)?;
    Ok(told.len() as u64)
}

pub fn msgctl(caller: &mut Caller<'_>, number: i32, command: i32, at: UserAddress) -> Result<i32, Errno> {
    if number < 0 || command < 0 {
        return Err(Errno::EINVAL);
    }
    let credentials = caller.credentials();
    match command {
        IPC_RMID => message_queues::remove(caller.cx, &credentials, number).map(|()| 0),
        IPC_SET => set(caller, &credentials, number, at).map(|()| 0),
        IPC_STAT => {
            let queue = message_queues::get(caller.cx, number)?;
            tell(caller, Some(&credentials), &queue, at).map(|_| 0)
        }
        MSG_STAT | MSG_STAT_ANY => {
            let queue = message_queues::at(caller.cx, number.unsigned_abs())?;
            tell(caller, (command == MSG_STAT).then_some(&*credentials), &queue, at)
        }
        IPC_INFO | MSG_INFO => information(caller, command == MSG_INFO, at),
        _ => Err(Errno::EINVAL),
    }
}

fn set(caller: &mut Caller<'_>, credentials: &Credentials, number: i32, at: UserAddress) -> Result<(), Errno> {
    let wish: QueueText = user::copy_in_value(caller.cx, at).map_err(errno)?;
    message_queues::change(caller.cx, credentials, number, |state| {
        if wish.most_bytes > MOST_IN_A_QUEUE.load() && !credentials.is_privileged() {
            return Err(Errno::EPERM);
        }
        if wish.user == u32::MAX || wish.group == u32::MAX {
            return Err(Errno::EINVAL);
        }
        state.rights.change(wish.user, wish.group, wish.mode);
        state.most_bytes = wish.most_bytes;
        Ok(())
    })
}

/// Answers the queue's number.
fn tell(caller: &mut Caller<'_>, who: Option<&Credentials>, queue: &Arc<Queue>, at: UserAddress) -> Result<i32, Errno> {
    let told = message_queues::with(caller.cx, who, READ, queue, |state| Ok(QueueText::of(queue, state)))?;
    user::copy_out_value(caller.cx, at, &told).map_err(errno)?;
    Ok(queue.number)
}

/// Answers the highest place in use.
fn information(caller: &mut Caller<'_>, of_use: bool, at: UserAddress) -> Result<i32, Errno> {
    let list = message_queues::list(caller.cx);
    let mut in_use = InUse { queues: list.len(), ..InUse::default() };
    for (_, queue) in &list {
        let (bytes, messages) = queue.state.lock(caller.cx).in_it();
        in_use.bytes += bytes;
        in_use.messages += messages;
    }
    user::copy_out_value(caller.cx, at, &text::information(of_use.then_some(in_use))).map_err(errno)?;
    Ok(list.last().and_then(|(place, _)| i32::try_from(*place).ok()).unwrap_or(0))
}
