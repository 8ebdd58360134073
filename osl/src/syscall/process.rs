//! Processes and threads: making, changing, ending, waiting for and naming them.
//!
//! Invariant: every number and address a program gives is checked here or by the first function it is handed to.

use abi::Errno;
use abi::constant::{
    AT_FDCWD, CLONE_DETACHED, CLONE_PARENT, CLONE_PARENT_SETTID, CLONE_PIDFD, CLONE_SIGHAND, CLONE_THREAD, CLONE_VFORK, CLONE_VM, CSIGNAL,
};
use abi::process::{CloneArguments, Rusage, limit, wait as option};
use abi::signal::SIGCHLD;
use libkernel::address_space::{UserAddress, user};
use zerocopy::{FromZeros, IntoBytes};

use super::memory::USER_END;
use super::{Caller, process_descriptor};
use crate::elf::stack::Strings;
use crate::error::errno;
use crate::process::clone::{self, CLEAR_ACTIONS, Request};
use crate::process::program::{From, Wish};
use crate::process::shared::Stage;
use crate::process::status::{ExitStatus, continued_word, stopped_word};
use crate::process::wait::{self, Event, Found, Kind, Wanted, Which};
use crate::process::{Task, exec, exit};

/// The longest path.
const PATH_LIMIT: usize = 4096;
/// The longest single argument.
const STRING_LIMIT: usize = 128 << 10;
/// All arguments and environment together: a quarter of the stack, within these bounds.
const SMALLEST_ARGUMENTS: u64 = 128 << 10;
const LARGEST_ARGUMENTS: u64 = 6 << 20;
/// The first version of `struct clone_args`.
const SMALLEST_CLONE_ARGUMENTS: usize = 64;
const LARGEST_CLONE_ARGUMENTS: usize = 4096;

pub fn fork(caller: &mut Caller<'_>) -> Result<i32, Errno> {
    let request = Request { exit_signal: SIGCHLD, ..Request::default() };
    make(caller, &request)
}

pub fn vfork(caller: &mut Caller<'_>) -> Result<i32, Errno> {
    let flags = u64::from(CLONE_VFORK | CLONE_VM);
    let request = Request { flags, exit_signal: SIGCHLD, ..Request::default() };
    make(caller, &request)
}

/// `clone(flags, stack, parent_tid, child_tid, tls)`, in x86-64's order.
pub fn clone(
    caller: &mut Caller<'_>,
    flags: u64,
    stack: u64,
    parent_thread: u64,
    child_thread: u64,
    thread_storage: u64,
) -> Result<i32, Errno> {
    let signal = flags & u64::from(CSIGNAL);
    if flags & u64::from(CLONE_PIDFD) != 0 && flags & u64::from(CLONE_PARENT_SETTID) != 0 {
        // One address cannot take two answers.
        return Err(Errno::EINVAL);
    }
    let request = Request {
        // The call takes an `int` of flags.
        flags: flags & !u64::from(CSIGNAL) & u64::from(u32::MAX),
        exit_signal: u32::try_from(signal).map_err(|_| Errno::EINVAL)?,
        stack,
        parent_thread,
        child_thread,
        thread_storage,
        descriptor: parent_thread,
    };
    make(caller, &request)
}

pub fn clone3(caller: &mut Caller<'_>, at: UserAddress, size: usize) -> Result<i32, Errno> {
    if size > LARGEST_CLONE_ARGUMENTS {
        return Err(Errno::E2BIG);
    }
    if size < SMALLEST_CLONE_ARGUMENTS {
        return Err(Errno::EINVAL);
    }
    let mut arguments = CloneArguments::new_zeroed();
    let known = size.min(size_of::<CloneArguments>());
    let bytes = arguments.as_mut_bytes().get_mut(..known).ok_or(Errno::EINVAL)?;
    user::copy_in(caller.cx, at, bytes).map_err(errno)?;
    refuse_unknown(caller, at, known, size)?;
    if is_odd(&arguments) {
        return Err(Errno::EINVAL);
    }
    let top = arguments.stack.checked_add(arguments.stack_size).filter(|&top| top <= USER_END).ok_or(Errno::EINVAL)?;
    let request = Request {
        flags: arguments.flags,
        exit_signal: u32::try_from(arguments.exit_signal).map_err(|_| Errno::EINVAL)?,
        stack: top,
        parent_thread: arguments.parent_thread,
        child_thread: arguments.child_thread,
        thread_storage: arguments.thread_storage,
        descriptor: arguments.process_descriptor,
    };
    make(caller, &request)
}

/// What only this call refuses: the older one takes it, or has no way to say it.
fn is_odd(arguments: &CloneArguments) -> bool {
    let has = |flags: u32| arguments.flags & u64::from(flags) != 0;
    has(CSIGNAL | CLONE_DETACHED)
        || arguments.set_thread != 0
        || arguments.set_thread_size != 0
        || arguments.exit_signal > u64::from(CSIGNAL)
        || has(CLONE_THREAD | CLONE_PARENT) && arguments.exit_signal != 0
        || has(CLONE_SIGHAND) && arguments.flags & CLEAR_ACTIONS != 0
        || (arguments.stack == 0) != (arguments.stack_size == 0)
}

/// A longer struct of a newer program is fine as long as what we do not know is zero.
fn refuse_unknown(caller: &mut Caller<'_>, at: UserAddress, known: usize, size: usize) -> Result<(), Errno> {
    if size <= known {
        return Ok(());
    }
    let mut rest = alloc::vec![0; size - known];
    let from = at.as_u64().checked_add(known as u64).ok_or(Errno::EFAULT)?;
    user::copy_in(caller.cx, UserAddress::new(from), &mut rest).map_err(errno)?;
    if rest.iter().all(|byte| *byte == 0) { Ok(()) } else { Err(Errno::E2BIG) }
}

fn make(caller: &mut Caller<'_>, request: &Request) -> Result<i32, Errno> {
    clone::clone(caller.cx, &caller.task, caller.registers, request)
}

pub fn execve(caller: &mut Caller<'_>, path: UserAddress, arguments: UserAddress, environment: UserAddress) -> Result<(), Errno> {
    execveat(caller, AT_FDCWD, path, arguments, environment, 0)
}

pub fn execveat(
    caller: &mut Caller<'_>,
    descriptor: i32,
    path: UserAddress,
    arguments: UserAddress,
    environment: UserAddress,
    flags: u32,
) -> Result<(), Errno> {
    let too_long = |error| if error == Errno::E2BIG { Errno::ENAMETOOLONG } else { error };
    let path = user::copy_in_string(caller.cx, path, PATH_LIMIT).map_err(errno).map_err(too_long)?;
    let quarter = caller.task.process().soft_limit(caller.cx, limit::STACK) / 4;
    let mut room = usize::try_from(quarter.clamp(SMALLEST_ARGUMENTS, LARGEST_ARGUMENTS)).map_err(|_| Errno::E2BIG)?;
    let mut arguments = strings(caller, arguments, &mut room)?;
    let environment = strings(caller, environment, &mut room)?;
    if arguments.count() == 0 {
        // As Linux does since 5.18: a program always finds a name.
        arguments.push(b"").ok_or(Errno::ENOMEM)?;
    }
    let wish = Wish { path, arguments, environment };
    exec::execute(caller.cx, &caller.task, caller.registers, From { descriptor, flags }, wish)
}

/// The strings that an array of pointers leads to; a null array has none.
fn strings(caller: &mut Caller<'_>, array: UserAddress, room: &mut usize) -> Result<Strings, Errno> {
    let mut strings = Strings::new();
    let mut at = array.as_u64();
    while at != 0 {
        let pointer: u64 = user::copy_in_value(caller.cx, UserAddress::new(at)).map_err(errno)?;
        if pointer == 0 {
            break;
        }
        let string = user::copy_in_string(caller.cx, UserAddress::new(pointer), STRING_LIMIT).map_err(errno)?;
        let cost = string.len() + 1 + size_of::<u64>();
        *room = room.checked_sub(cost).ok_or(Errno::E2BIG)?;
        strings.push(&string).ok_or(Errno::ENOMEM)?;
        at = at.checked_add(size_of::<u64>() as u64).ok_or(Errno::EFAULT)?;
        if caller.task.process().signals.lock(caller.cx).must_leave(caller.task.id()) {
            return Err(Errno::EINTR);
        }
    }
    Ok(strings)
}

pub fn exit(caller: &mut Caller<'_>, code: i32) -> Result<(), Errno> {
    exit::leave_thread(caller.cx, &caller.task, low_byte(code));
    Ok(())
}

pub fn exit_group(caller: &mut Caller<'_>, code: i32) -> Result<(), Errno> {
    exit::end_process(caller.cx, &caller.task, ExitStatus::Exited(low_byte(code)));
    Ok(())
}

fn low_byte(code: i32) -> u8 {
    let [low, ..] = code.to_le_bytes();
    low
}

pub fn wait4(caller: &mut Caller<'_>, which: i32, status: UserAddress, options: u32, usage: UserAddress) -> Result<i32, Errno> {
    let allowed = option::WNOHANG | option::WUNTRACED | option::WCONTINUED | KIND_BITS;
    if options & !allowed != 0 {
        return Err(Errno::EINVAL);
    }
    let which = match which {
        -1 => Which::Any,
        0 => Which::Group(own_group(caller)),
        1.. => Which::Process(which),
        // The lowest number has no group to be the negative of.
        _ => Which::Group(which.checked_neg().ok_or(Errno::ESRCH)?),
    };
    let wanted = wanted(&caller.task, which, options | option::WEXITED);
    let process = caller.process();
    let Some(found) = wait::wait(caller.cx, &process, &wanted)? else {
        return Ok(0);
    };
    if status.as_u64() != 0 {
        user::copy_out_value(caller.cx, status, &word(&found)).map_err(errno)?;
    }
    write_usage(caller, usage, &found)?;
    Ok(found.id)
}

pub fn waitid(
    caller: &mut Caller<'_>,
    kind: u32,
    number: i32,
    information: UserAddress,
    options: u32,
    usage: UserAddress,
) -> Result<(), Errno> {
    let events = option::WEXITED | option::WSTOPPED | option::WCONTINUED;
    let allowed = events | option::WNOHANG | option::WNOWAIT | KIND_BITS;
    if options & !allowed != 0 || options & events == 0 {
        return Err(Errno::EINVAL);
    }
    let mut at_once = false;
    let which = match kind {
        option::P_ALL => Which::Any,
        option::P_PID if number > 0 => Which::Process(number),
        option::P_PGID if number == 0 => Which::Group(own_group(caller)),
        option::P_PGID if number > 0 => Which::Group(number),
        option::P_PIDFD if number >= 0 => {
            let (process, nonblocking) = process_descriptor::process_of(caller, number)?;
            if process.stage() == Stage::Buried {
                return Err(Errno::ECHILD);
            }
            at_once = nonblocking;
            Which::Process(process.id())
        }
        _ => return Err(Errno::EINVAL),
    };
    let process = caller.process();
    let mut wanted = wanted(&caller.task, which, options);
    wanted.at_once |= at_once;
    let found = wait::wait(caller.cx, &process, &wanted)?;
    if found.is_none() && at_once && options & option::WNOHANG == 0 {
        return Err(Errno::EAGAIN);
    }
    if let Some(found) = &found {
        write_usage(caller, usage, found)?;
    }
    if information.as_u64() != 0 {
        let answer = found.as_ref().map_or_else(abi::signal::SignalInfo::new_zeroed, information_of);
        user::copy_out_value(caller.cx, information, &answer).map_err(errno)?;
    }
    Ok(())
}

const KIND_BITS: u32 = option::WNOTHREAD | option::WALL | option::WCLONE;

fn own_group(caller: &mut Caller<'_>) -> i32 {
    caller.task.process().relations(caller.cx).group
}

fn wanted(task: &Task, which: Which, options: u32) -> Wanted {
    let has = |bit| options & bit != 0;
    Wanted {
        which,
        kind: kind(options),
        made_by: has(option::WNOTHREAD).then(|| task.id()),
        ended: has(option::WEXITED),
        stopped: has(option::WSTOPPED),
        continued: has(option::WCONTINUED),
        keep: has(option::WNOWAIT),
        at_once: has(option::WNOHANG),
    }
}

fn kind(options: u32) -> Kind {
    match (options & option::WALL != 0, options & option::WCLONE != 0) {
        (true, _) => Kind::All,
        (false, true) => Kind::Cloned,
        (false, false) => Kind::Usual,
    }
}

fn word(found: &Found) -> u32 {
    match found.event {
        Event::Ended(status) => status.word(),
        Event::Stopped(signal) => stopped_word(signal),
        Event::Continued => continued_word(),
    }
}

fn information_of(found: &Found) -> abi::signal::SignalInfo {
    use abi::signal::{SIGCONT, SignalInfo, code};
    let (code, status) = match found.event {
        Event::Ended(status) => status.code_and_status(),
        Event::Stopped(signal) => (code::CLD_STOPPED, signal.cast_signed()),
        Event::Continued => (code::CLD_CONTINUED, SIGCONT.cast_signed()),
    };
    SignalInfo::new(SIGCHLD, code).with_sender(found.id, found.user).with_status(status)
}

fn write_usage(caller: &mut Caller<'_>, at: UserAddress, found: &Found) -> Result<(), Errno> {
    if at.as_u64() == 0 {
        return Ok(());
    }
    let usage: Rusage = found.usage.as_rusage();
    user::copy_out_value(caller.cx, at, &usage).map_err(errno)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_low_byte_of_an_exit_code_counts() {
        assert_eq!(low_byte(0x1ff), 0xff);
        assert_eq!(low_byte(-1), 255);
        assert_eq!(low_byte(256), 0);
    }

    #[test]
    fn wall_means_every_kind_of_child() {
        assert_eq!(kind(option::WALL), Kind::All);
        assert_eq!(kind(option::WCLONE), Kind::Cloned);
        assert_eq!(kind(option::WALL | option::WCLONE), Kind::All);
        assert_eq!(kind(0), Kind::Usual);
    }
}
