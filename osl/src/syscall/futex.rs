//! futex, futex_waitv and the calls that came after them.
//!
//! Invariant: a wait that goes on after an interruption keeps the moment at which it began to count.

use alloc::vec::Vec;
use libkernel::memory::Room;

use abi::Errno;
use abi::constant::*;
use abi::process::FutexWait;
use abi::time::clock as number;
use libkernel::address_space::{UserAddress, user};

use super::{Arguments, Caller};
use crate::error::errno;
use crate::futex::wake::{self, Two};
use crate::futex::{self, ALL_BITS, Operation, Until, Wish, Words, several};
use crate::process::{Restart, find_task};

/// The only size of a word that there is.
const SIZE: u32 = FUTEX2_SIZE_U32;
/// What a flag word may say.
const FLAGS: u32 = FUTEX2_SIZE_MASK | FUTEX2_PRIVATE;

pub fn futex(caller: &mut Caller<'_>, arguments: &Arguments) -> Result<u64, Errno> {
    let words = Words {
        address: arguments.address(0),
        operation: arguments.unsigned(1),
        value: arguments.unsigned(2),
        fourth: arguments.word(3),
        second: arguments.address(4),
        third: arguments.unsigned(5),
    };
    let operation = Operation::decode(words.operation);
    if operation.command == FUTEX_WAIT && words.fourth != 0 && !operation.by_wall_clock {
        let until = Until::span(caller.cx, words.fourth)?;
        let wish = Wish { address: words.address, value: words.value, bits: ALL_BITS, is_private: operation.is_private };
        return wait(caller, wish, until);
    }
    futex::call(caller.cx, &caller.task.futexes, words, |cx, number| find_task(cx, number).map(|task| task.futexes.clone()))
}

/// A wait for a span of time, or the rest of one.
pub fn wait(caller: &mut Caller<'_>, wish: Wish, until: Until) -> Result<u64, Errno> {
    match futex::wait(caller.cx, &caller.task.futexes, wish, until) {
        Ok(()) => Ok(0),
        Err(Errno::EINTR) => {
            *caller.task.restart.lock(caller.cx) = Some(Restart::Futex(wish, until));
            Err(Errno::ERESTART_RESTARTBLOCK)
        }
        Err(error) => Err(error),
    }
}

/// Whether a word is private, as its flags say.
fn is_private(flags: u32) -> Result<bool, Errno> {
    if flags & !FLAGS != 0 || flags & FUTEX2_SIZE_MASK != SIZE {
        return Err(Errno::EINVAL);
    }
    Ok(flags & FUTEX2_PRIVATE != 0)
}

fn word(value: u64) -> Result<u32, Errno> {
    u32::try_from(value).map_err(|_| Errno::EINVAL)
}

fn until(caller: &mut Caller<'_>, timeout: UserAddress, clock: i32) -> Result<Until, Errno> {
    match (timeout.as_u64(), clock) {
        (0, _) => Ok(Until::Never),
        (at, number::REALTIME) => Until::moment(caller.cx, at, true),
        (at, number::MONOTONIC) => Until::moment(caller.cx, at, false),
        _ => Err(Errno::EINVAL),
    }
}

/// The words that an array of `count` names.
fn wishes(caller: &mut Caller<'_>, array: UserAddress, count: usize) -> Result<Vec<Wish>, Errno> {
    let mut wishes = Vec::new();
    wishes.try_room_exact(count).map_err(errno)?;
    for index in 0..count {
        let at = array.checked_add((index * size_of::<FutexWait>()) as u64).ok_or(Errno::EFAULT)?;
        let one: FutexWait = user::copy_in_value(caller.cx, at).map_err(errno)?;
        let is_private = is_private(one.flags)?;
        if one.reserved != 0 {
            return Err(Errno::EINVAL);
        }
        wishes.push(Wish { address: UserAddress::new(one.address), value: word(one.value)?, bits: ALL_BITS, is_private });
    }
    Ok(wishes)
}

pub fn futex_waitv(caller: &mut Caller<'_>, arguments: &Arguments) -> Result<u64, Errno> {
    let (array, count, flags) = (arguments.address(0), arguments.unsigned(1), arguments.unsigned(2));
    let count = usize::try_from(count).unwrap_or(usize::MAX);
    if flags != 0 || count == 0 || count > several::MOST || array.as_u64() == 0 {
        return Err(Errno::EINVAL);
    }
    let until = until(caller, arguments.address(3), arguments.int(4))?;
    let wishes = wishes(caller, array, count)?;
    several::wait(caller.cx, &wishes, until).map(|index| index as u64)
}

pub fn futex_wake(caller: &mut Caller<'_>, arguments: &Arguments) -> Result<u64, Errno> {
    let (address, mask, count) = (arguments.address(0), arguments.word(1), arguments.int(2));
    let is_private = is_private(arguments.unsigned(3))?;
    let bits = word(mask)?;
    if bits == 0 {
        return Err(Errno::EINVAL);
    }
    let count = usize::try_from(count).unwrap_or(0);
    wake::wake(caller.cx, address, is_private, bits, count).map(|woken| woken as u64)
}

pub fn futex_wait(caller: &mut Caller<'_>, arguments: &Arguments) -> Result<u64, Errno> {
    let (address, value, mask) = (arguments.address(0), arguments.word(1), arguments.word(2));
    let is_private = is_private(arguments.unsigned(3))?;
    let wish = Wish { address, value: word(value)?, bits: word(mask)?, is_private };
    let until = until(caller, arguments.address(4), arguments.int(5))?;
    let interrupted = |error| if error == Errno::EINTR { Errno::ERESTARTSYS } else { error };
    futex::wait(caller.cx, &caller.task.futexes, wish, until).map_err(interrupted).map(|()| 0)
}

pub fn futex_requeue(caller: &mut Caller<'_>, arguments: &Arguments) -> Result<u64, Errno> {
    let (array, flags) = (arguments.address(0), arguments.unsigned(1));
    if flags != 0 || array.as_u64() == 0 {
        return Err(Errno::EINVAL);
    }
    let wishes = wishes(caller, array, 2)?;
    let counted = |count: i32| usize::try_from(count).map_err(|_| Errno::EINVAL);
    let (woken, second) = (counted(arguments.int(2))?, counted(arguments.int(3))?);
    let [from, to] = wishes.as_slice() else { return Err(Errno::EINVAL) };
    let words = [(from.address, from.is_private), (to.address, to.is_private)];
    wake::requeue(caller.cx, Two { words, woken, second }, Some(from.value)).map(|count| count as u64)
}
