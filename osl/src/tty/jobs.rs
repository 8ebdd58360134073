//! Job control: who may use a terminal, and who hears of its keys.
//!
//! Invariant: no lock of a terminal is held while processes are asked or signalled.

use alloc::sync::Arc;

use abi::Errno;
use abi::signal::{SIGCONT, SIGHUP, SIGINT, SIGQUIT, SIGTSTP, SIGTTIN, SIGTTOU, SignalInfo};
use abi::terminal::local;
use sync::{PreemptOff, TaskContext};

use super::line::KeySignal;
use super::settings::Settings;
use super::terminal::Terminal;
use crate::process::{self, ControllingTerminal, Process, Task, signals};

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

/// Who asks to get a terminal: the task, its group, and whether it leads a session that has none.
fn claimant(cx: &mut TaskContext) -> Result<(Arc<Task>, i32, bool), Errno> {
    let task = process::current(cx).ok_or(Errno::EPERM)?;
    let relations = task.process().relations(cx);
    let may = relations.session == task.process().id() && relations.terminal.is_none();
    Ok((task, relations.group, may))
}

/// Makes the terminal the controlling one of the caller's session, if that has none and nobody has this one.
pub fn take_if_free(cx: &mut TaskContext, terminal: &Arc<Terminal>) -> Result<(), Errno> {
    let (task, group, may) = claimant(cx)?;
    if may && terminal.state.lock(cx).session == 0 {
        // Somebody may be faster; then the opening is an opening and nothing more.
        let _somebody_else_has_it = claim(cx, terminal, &task, group, false);
    }
    Ok(())
}

/// The same by request (`TIOCSCTTY`). With `steals`, root takes it away from another session.
pub fn take(cx: &mut TaskContext, terminal: &Arc<Terminal>, can_read: bool, steals: bool) -> Result<(), Errno> {
    let (task, group, may) = claimant(cx)?;
    if terminal.state.lock(cx).session == task.process().id() {
        return Ok(());
    }
    let privileged = task.credentials(cx).is_privileged();
    if !may || !(can_read || privileged) {
        return Err(Errno::EPERM);
    }
    claim(cx, terminal, &task, group, steals && privileged)
}

/// The terminal agrees first: a session's link to one that controls another session counts for nothing.
pub fn claim(cx: &mut TaskContext, terminal: &Arc<Terminal>, task: &Arc<Task>, group: i32, steals: bool) -> Result<(), Errno> {
    terminal.begin_session(cx, task.process(), group, steals)?;
    let claimed = process::claim_terminal(cx, task, terminal.clone());
    if claimed.is_err() {
        terminal.end_session(cx, task.process().id());
    }
    claimed
}

/// The caller lets go of its terminal; when it leads the session, the whole session does.
pub fn give_up(cx: &mut TaskContext, terminal: &Terminal) -> Result<(), Errno> {
    let (task, ..) = own_place(cx, terminal)?;
    process::release_terminal(cx, &task)
}

/// The session of a caller that may say which group of it reads.
pub fn check_owner(cx: &mut TaskContext, terminal: &Terminal) -> Result<i32, Errno> {
    check_change(cx, terminal).map_err(|error| if error == Errno::EIO { Errno::ENOTTY } else { error })?;
    own_place(cx, terminal).map(|(_, _, session)| session)
}

/// Sets the group that reads, which must be of the session.
pub fn set_foreground(cx: &mut TaskContext, terminal: &Terminal, session: i32, group: i32) -> Result<(), Errno> {
    if group < 0 {
        return Err(Errno::EINVAL);
    }
    let members = process::in_group(cx, group);
    let first = members.first().ok_or(Errno::ESRCH)?;
    if first.relations(cx).session != session {
        return Err(Errno::EPERM);
    }
    let mut state = terminal.state.lock(cx);
    if state.session == session {
        state.foreground = group;
    }
    Ok(())
}

/// A signal to the foreground group, by request of the master (`TIOCSIG`).
pub fn send_key(cx: &mut TaskContext, terminal: &Terminal, signal: u64) -> Result<(), Errno> {
    let signal = u32::try_from(signal).ok().filter(|signal| [SIGINT, SIGQUIT, SIGTSTP].contains(signal)).ok_or(Errno::EINVAL)?;
    let foreground = terminal.state.lock(cx).foreground;
    send(cx, foreground, signal);
    Ok(())
}

/// The other end is gone: the leader of the session is told, so that it can end its jobs.
pub fn hang_up(off: &PreemptOff, leader: &Process) {
    for signal in [SIGHUP, SIGCONT] {
        signals::send_to_process(off, leader, SignalInfo::new(signal, FROM_KERNEL));
    }
}
