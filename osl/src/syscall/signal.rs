//! Signals: actions, masks, waiting for them, and sending.
//!
//! Invariant: sizes of signal sets are checked before anything is read; SIGKILL and SIGSTOP stay as they are whatever is asked.

use abi::Errno;
use abi::signal::*;
use abi::time::Timespec;
use libkernel::address_space::{UserAddress, user};
use libkernel::wait::{Deadline, sleep_until};

use super::Caller;
use crate::error::errno;
use crate::process::signals::{SignalSet, post};
use crate::signal::{frame, send, stack};

/// A signal set is eight bytes, always.
const SET_BYTES: usize = 8;

fn check_size(size: usize) -> Result<(), Errno> {
    if size == SET_BYTES { Ok(()) } else { Err(Errno::EINVAL) }
}

fn number(signal: i32) -> Result<u32, Errno> {
    u32::try_from(signal).ok().filter(|signal| (1..=SIGNAL_COUNT).contains(signal)).ok_or(Errno::EINVAL)
}

fn read_set(caller: &mut Caller<'_>, at: UserAddress) -> Result<SignalSet, Errno> {
    user::copy_in_value(caller.cx, at).map(SignalSet::from_bits).map_err(errno)
}

/// The flags that are kept; others are cleared so that a program can find out which are known.
const KNOWN_FLAGS: u64 = action::NOCLDSTOP
    | action::NOCLDWAIT
    | action::SIGINFO
    | action::ONSTACK
    | action::RESTART
    | action::NODEFER
    | action::RESETHAND
    | action::RESTORER;

pub fn rt_sigaction(caller: &mut Caller<'_>, signal: i32, new: UserAddress, old: UserAddress, size: usize) -> Result<(), Errno> {
    check_size(size)?;
    let signal = number(signal)?;
    let actions = caller.task.process().actions(caller.cx);
    let before = if new.as_u64() == 0 {
        actions.get(signal)
    } else {
        let mut action: SignalAction = user::copy_in_value(caller.cx, new).map_err(errno)?;
        if SignalSet::UNSTOPPABLE.contains(signal) {
            return Err(Errno::EINVAL);
        }
        action.flags &= KNOWN_FLAGS;
        let before = actions.set(signal, action);
        if actions.ignores(signal) {
            caller.task.process().signals.lock(caller.cx).forget(SignalSet::single(signal));
        }
        before
    };
    if old.as_u64() != 0 {
        user::copy_out_value(caller.cx, old, &before).map_err(errno)?;
    }
    Ok(())
}

pub fn rt_sigprocmask(caller: &mut Caller<'_>, how: u32, new: UserAddress, old: UserAddress, size: usize) -> Result<(), Errno> {
    check_size(size)?;
    let wanted = if new.as_u64() == 0 { None } else { Some(read_set(caller, new)?) };
    let id = caller.task.id();
    let before = {
        let mut state = caller.task.process().signals.lock(caller.cx);
        let now = state.members.get(&id).map_or(SignalSet::EMPTY, |member| member.mask);
        if let Some(set) = wanted {
            state.set_mask(id, changed(now, how, set)?);
        }
        now
    };
    if old.as_u64() != 0 {
        user::copy_out_value(caller.cx, old, &before.bits()).map_err(errno)?;
    }
    Ok(())
}

fn changed(mask: SignalSet, how: u32, set: SignalSet) -> Result<SignalSet, Errno> {
    match how {
        SIG_BLOCK => Ok(mask.union(set)),
        SIG_UNBLOCK => Ok(mask.minus(set)),
        SIG_SETMASK => Ok(set),
        _ => Err(Errno::EINVAL),
    }
}

pub fn rt_sigpending(caller: &mut Caller<'_>, at: UserAddress, size: usize) -> Result<(), Errno> {
    if size > SET_BYTES {
        return Err(Errno::EINVAL);
    }
    let waiting = {
        let state = caller.task.process().signals.lock(caller.cx);
        let member = state.members.get(&caller.task.id());
        member.map_or(SignalSet::EMPTY, |member| member.pending.set().union(state.shared.set()).intersection(member.mask))
    };
    let bytes = waiting.bits().to_le_bytes();
    user::copy_out(caller.cx, at, bytes.get(..size).unwrap_or_default()).map_err(errno)
}

pub fn rt_sigsuspend(caller: &mut Caller<'_>, at: UserAddress, size: usize) -> Result<(), Errno> {
    check_size(size)?;
    let mask = read_set(caller, at)?;
    set_mask_for_wait(caller, mask);
    pause(caller)
}

/// Sets the mask until a handler has run, or the call is over.
pub fn set_mask_for_wait(caller: &mut Caller<'_>, mask: SignalSet) {
    let id = caller.task.id();
    let mut state = caller.task.process().signals.lock(caller.cx);
    let before = state.set_mask(id, mask);
    if let Some(member) = state.members.get_mut(&id) {
        member.saved_mask = Some(before);
    }
    // What waits already ends the wait that comes; the mask goes back on the way to the program in any case.
    if state.must_look(id)
        && let Some(member) = state.members.get(&id)
    {
        member.task.interrupt();
    }
    caller.task.must_look();
}

pub fn pause(caller: &mut Caller<'_>) -> Result<(), Errno> {
    match sleep_until(caller.cx, Deadline::NEVER, true) {
        Ok(()) => Err(Errno::EINTR),
        Err(_) => Err(Errno::ERESTARTNOHAND),
    }
}

pub fn rt_sigtimedwait(
    caller: &mut Caller<'_>,
    set: UserAddress,
    information: UserAddress,
    timeout: UserAddress,
    size: usize,
) -> Result<u32, Errno> {
    check_size(size)?;
    let wanted = read_set(caller, set)?.blockable();
    let deadline = match timeout.as_u64() {
        0 => Deadline::NEVER,
        _ => {
            let span: Timespec = user::copy_in_value(caller.cx, timeout).map_err(errno)?;
            Deadline::after(span.to_nanoseconds().ok_or(Errno::EINVAL)?)
        }
    };
    let found = wait_for(caller, wanted, deadline)?;
    let signal = found.signal.cast_unsigned();
    caller.task.process().interval.taken(caller.cx, signal);
    if information.as_u64() != 0 {
        user::copy_out_value(caller.cx, information, &found).map_err(errno)?;
    }
    Ok(signal)
}

fn take(caller: &mut Caller<'_>, wanted: SignalSet, awaited: SignalSet) -> Option<SignalInfo> {
    let id = caller.task.id();
    let mut state = caller.task.process().signals.lock(caller.cx);
    let found = state.take(id, wanted);
    if let Some(member) = state.members.get_mut(&id) {
        member.awaited = if found.is_some() { SignalSet::EMPTY } else { awaited };
    }
    found
}

fn wait_for(caller: &mut Caller<'_>, wanted: SignalSet, deadline: Deadline) -> Result<SignalInfo, Errno> {
    if let Some(found) = take(caller, wanted, wanted) {
        return Ok(found);
    }
    let slept = if deadline.has_passed() { Ok(()) } else { sleep_until(caller.cx, deadline, true) };
    match (take(caller, wanted, SignalSet::EMPTY), slept) {
        (Some(found), _) => Ok(found),
        (None, Ok(())) => Err(Errno::EAGAIN),
        (None, Err(_)) => Err(Errno::EINTR),
    }
}

pub fn rt_sigqueueinfo(caller: &mut Caller<'_>, process: i32, signal: i32, information: UserAddress) -> Result<(), Errno> {
    let information: SignalInfo = user::copy_in_value(caller.cx, information).map_err(errno)?;
    send::queue(caller.cx, &caller.task, process, None, signal, information)
}

pub fn rt_tgsigqueueinfo(caller: &mut Caller<'_>, process: i32, thread: i32, signal: i32, information: UserAddress) -> Result<(), Errno> {
    let information: SignalInfo = user::copy_in_value(caller.cx, information).map_err(errno)?;
    send::queue(caller.cx, &caller.task, process, Some(thread), signal, information)
}

pub fn kill(caller: &mut Caller<'_>, target: i32, signal: i32) -> Result<(), Errno> {
    send::kill(caller.cx, &caller.task, target, signal)
}

pub fn tkill(caller: &mut Caller<'_>, thread: i32, signal: i32) -> Result<(), Errno> {
    send::kill_thread(caller.cx, &caller.task, None, thread, signal)
}

pub fn tgkill(caller: &mut Caller<'_>, process: i32, thread: i32, signal: i32) -> Result<(), Errno> {
    send::kill_thread(caller.cx, &caller.task, Some(process), thread, signal)
}

pub fn sigaltstack(caller: &mut Caller<'_>, new: UserAddress, old: UserAddress) -> Result<(), Errno> {
    let now = caller.task.signal_stack(caller.cx);
    let is_on = stack::is_on(&now, caller.registers.stack_pointer());
    if new.as_u64() != 0 {
        let wanted: SignalStack = user::copy_in_value(caller.cx, new).map_err(errno)?;
        let wanted = checked_stack(wanted, is_on)?;
        caller.task.set_signal_stack(caller.cx, wanted);
    }
    if old.as_u64() != 0 {
        let on = if is_on { SS_ONSTACK } else { 0 };
        let answer = SignalStack { flags: now.flags | on, ..now };
        user::copy_out_value(caller.cx, old, &answer).map_err(errno)?;
    }
    Ok(())
}

fn checked_stack(wanted: SignalStack, is_on: bool) -> Result<SignalStack, Errno> {
    if is_on {
        return Err(Errno::EPERM);
    }
    match wanted.flags & !SS_AUTODISARM {
        SS_DISABLE => Ok(SignalStack { base: 0, size: 0, padding: 0, flags: wanted.flags }),
        0 | SS_ONSTACK if wanted.size < MINSIGSTKSZ => Err(Errno::ENOMEM),
        0 | SS_ONSTACK => Ok(SignalStack { flags: wanted.flags & SS_AUTODISARM, padding: 0, ..wanted }),
        _ => Err(Errno::EINVAL),
    }
}

/// Goes back from a handler. A frame that cannot be taken back ends in SIGSEGV.
pub fn rt_sigreturn(caller: &mut Caller<'_>) -> Result<u64, Errno> {
    match frame::pop(caller.cx, &caller.task, caller.registers) {
        Ok(result) => Ok(result),
        Err(_) => {
            caller.registers.forget_system_call();
            post::force(caller.cx, &caller.task, SignalInfo::new(SIGSEGV, code::KERNEL));
            Ok(0)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mask_is_added_to_taken_from_or_set() {
        let (one, two) = (SignalSet::single(SIGINT), SignalSet::single(SIGTERM));
        assert_eq!(changed(one, SIG_BLOCK, two), Ok(one.union(two)));
        assert_eq!(changed(one.union(two), SIG_UNBLOCK, two), Ok(one));
        assert_eq!(changed(one, SIG_SETMASK, two), Ok(two));
        assert_eq!(changed(one, 3, two), Err(Errno::EINVAL));
    }

    #[test]
    fn a_signal_stack_in_use_cannot_be_changed_and_a_small_one_cannot_be_set() {
        let stack = SignalStack { base: 0x1000, flags: 0, padding: 0, size: 0x4000 };
        assert_eq!(checked_stack(stack, true), Err(Errno::EPERM));
        assert_eq!(checked_stack(SignalStack { size: 100, ..stack }, false), Err(Errno::ENOMEM));
        assert_eq!(checked_stack(SignalStack { flags: SS_ONSTACK, ..stack }, false), Ok(stack));
        assert_eq!(checked_stack(SignalStack { flags: 8, ..stack }, false), Err(Errno::EINVAL));
    }

    #[test]
    fn zero_and_sixty_five_are_no_signals_to_act_on() {
        assert_eq!(number(0), Err(Errno::EINVAL));
        assert_eq!(number(65), Err(Errno::EINVAL));
        assert_eq!(number(64), Ok(64));
    }
}
