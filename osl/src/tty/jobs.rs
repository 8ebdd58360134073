//! Job control: who may use a terminal, and who hears of its keys.
//!
//! Invariant: no lock of a terminal is held while processes are asked or signalled.

use alloc::sync::Arc;

use abi::Errno;
use abi::signal::{SIGCONT, SIGHUP, SIGINT, SIGQUIT, SIGTSTP, SIGTTIN, SIGTTOU, SignalInfo};
use abi::terminal::local;
use sync::TaskContext;

use super::line::KeySignal;
use super::settings::Settings;
use super::terminal::Terminal;
use crate::process::{self, ControllingTerminal, Task, signals};

/// `si_code` of a signal from the kernel itself.
const FROM_KERNEL: i32 = 0x80;

/// The signal that a key stands for.
pub fn number(signal: KeySignal) -> u32 {
    match signal {
        KeySignal::Interrupt => SIGINT,
        KeySignal::Quit => SIGQUIT,
        KeySignal::Stop => SIGTSTP,
    }
}

/// Sends a signal to a group; nothing when there is none.
pub fn send(cx: &mut TaskContext, group: i32, signal: u32) {
    if group > 0 {
        signals::send_to_group(cx, group, SignalInfo::new(signal, FROM_KERNEL));
    }
}

/// The caller's place, when this terminal is the one of its session: the task, its group and its session.
fn place(cx: &mut TaskContext, terminal: &Terminal) -> Option<(Arc<Task>, i32, i32)> {
    let task = process::current(cx)?;
    let relations = task.process().relations(cx);
    let own = relations.terminal?;
    (own.device_number() == terminal.device_number()).then_some((task, relations.group, relations.session))
}

/// The task, its group and its session, for calls that only the terminal's own session may make.
pub fn own_place(cx: &mut TaskContext, terminal: &Terminal) -> Result<(Arc<Task>, i32, i32), Errno> {
    place(cx, terminal).ok_or(Errno::ENOTTY)
}

/// The caller's task and group when it is in the background of this terminal.
fn in_background(cx: &mut TaskContext, terminal: &Terminal) -> Option<(Arc<Task>, i32)> {
    let (task, group, _) = place(cx, terminal)?;
    let foreground = terminal.state.lock(cx).foreground;
    (foreground > 0 && foreground != group).then_some((task, group))
}

/// Lets a read through, or stops the background program that tries.
pub fn check_read(cx: &mut TaskContext, terminal: &Terminal) -> Result<(), Errno> {
    let Some((task, group)) = in_background(cx, terminal) else { return Ok(()) };
    if signals::is_blocked_or_ignored(cx, &task, SIGTTIN) || process::is_orphaned(cx, group) {
        return Err(Errno::EIO);
    }
    send(cx, group, SIGTTIN);
    Err(Errno::ERESTARTSYS)
}

/// Lets a write through, unless background programs are to be stopped for it.
pub fn check_write(cx: &mut TaskContext, terminal: &Terminal) -> Result<(), Errno> {
    let stops = terminal.state.lock(cx).line.settings().local_has(local::TOSTOP);
    if stops { check_change(cx, terminal) } else { Ok(()) }
}

/// Lets a change of the terminal through, or stops the background program that tries.
pub fn check_change(cx: &mut TaskContext, terminal: &Terminal) -> Result<(), Errno> {
    let Some((task, group)) = in_background(cx, terminal) else { return Ok(()) };
    if signals::is_blocked_or_ignored(cx, &task, SIGTTOU) {
        return Ok(());
    }
    if process::is_orphaned(cx, group) {
        return Err(Errno::EIO);
    }
    send(cx, group, SIGTTOU);
    Err(Errno::ERESTARTSYS)
}

/// Makes the terminal the controlling one of the caller's session. With `only_if_free`, quietly nothing when it cannot be.
pub fn take(cx: &mut TaskContext, terminal: &Arc<Terminal>, only_if_free: bool) -> Result<(), Errno> {
    let task = process::current(cx).ok_or(Errno::EPERM)?;
    let relations = task.process().relations(cx);
    let owner = terminal.state.lock(cx).session;
    if owner == relations.session && owner != 0 {
        return Ok(());
    }
    let may = owner == 0 && relations.session == task.process().id() && relations.terminal.is_none();
    if !may {
        return if only_if_free { Ok(()) } else { Err(Errno::EPERM) };
    }
    process::claim_terminal(cx, &task, terminal.clone())?;
    terminal.begin_session(cx, relations.session, relations.group);
    Ok(())
}

/// The caller lets go of its terminal; when it leads the session, the whole session does.
pub fn give_up(cx: &mut TaskContext, terminal: &Terminal) -> Result<(), Errno> {
    let (task, ..) = own_place(cx, terminal)?;
    process::release_terminal(cx, &task)
}

/// Sets the group that reads, which must be of the terminal's session.
pub fn set_foreground(cx: &mut TaskContext, terminal: &Terminal, group: i32) -> Result<(), Errno> {
    check_change(cx, terminal)?;
    let (_, _, session) = own_place(cx, terminal)?;
    if group < 0 {
        return Err(Errno::EINVAL);
    }
    let members = process::in_group(cx, group);
    let first = members.first().ok_or(Errno::ESRCH)?;
    if first.relations(cx).session != session {
        return Err(Errno::EPERM);
    }
    terminal.update(cx, |state| state.foreground = group);
    Ok(())
}

/// The other end is gone: the leader of the session is told, so that it can end its jobs.
pub fn hang_up(cx: &mut TaskContext, session: i32) {
    if session <= 0 {
        return;
    }
    if let Some(leader) = process::find(cx, session) {
        for signal in [SIGHUP, SIGCONT] {
            signals::send_to_process(cx, &leader, SignalInfo::new(signal, FROM_KERNEL));
        }
    }
}
