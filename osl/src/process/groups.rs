//! Process groups, sessions and their terminals.
//!
//! Invariant: a group lies within one session; only the leader of a session that has no terminal yet can claim one.

use alloc::sync::Arc;

use abi::Errno;
use abi::signal::{SIGCONT, SIGHUP, SignalInfo, code};
use sync::TaskContext;

use super::shared::Process;
use super::signals::post;
use super::table::TREE;
use super::task::Task;
use super::terminal::{ControllingTerminal, Farewell};

/// Moves a process (0: the caller's) to a group (0: one with its own number), as `setpgid`.
pub fn set_group(cx: &mut TaskContext, caller: &Process, id: i32, group: i32) -> Result<(), Errno> {
    if group < 0 {
        return Err(Errno::EINVAL);
    }
    let id = if id == 0 { caller.id() } else { id };
    let group = if group == 0 { id } else { group };
    let mut tree = TREE.lock(cx);
    let own_session = tree.entries.get(&caller.id()).map(|entry| entry.session).ok_or(Errno::ESRCH)?;
    let entry = tree.entries.get(&id).ok_or(Errno::ESRCH)?;
    let is_child = entry.parent == caller.id();
    if id != caller.id() && !is_child {
        return Err(Errno::ESRCH);
    }
    if is_child && entry.session != own_session {
        return Err(Errno::EPERM);
    }
    if is_child && entry.has_new_program {
        return Err(Errno::EACCES);
    }
    let is_leader = entry.session == id;
    let is_new = group == id;
    if is_leader || (!is_new && tree.session_of_group(group) != Some(own_session)) {
        return Err(Errno::EPERM);
    }
    tree.move_to_group(id, group);
    Ok(())
}

/// The group of a process (0: the caller's).
pub fn group_of(cx: &mut TaskContext, caller: &Process, id: i32) -> Result<i32, Errno> {
    let id = if id == 0 { caller.id() } else { id };
    TREE.lock(cx).entries.get(&id).map(|entry| entry.group).ok_or(Errno::ESRCH)
}

/// The session of a process (0: the caller's).
pub fn session_of(cx: &mut TaskContext, caller: &Process, id: i32) -> Result<i32, Errno> {
    let id = if id == 0 { caller.id() } else { id };
    TREE.lock(cx).entries.get(&id).map(|entry| entry.session).ok_or(Errno::ESRCH)
}

/// The caller leads a new session, as `setsid`.
pub fn begin_session(cx: &mut TaskContext, caller: &Process) -> Result<i32, Errno> {
    let id = caller.id();
    let mut tree = TREE.lock(cx);
    // Whoever leads a group, or left one behind with its number, would tear it in two.
    if !tree.group(id).is_empty() {
        return Err(Errno::EPERM);
    }
    let gone = tree.begin_session(id);
    drop(tree);
    drop(gone);
    Ok(id)
}

/// Gives the caller's session a terminal. Only its leader may, and only if it has none.
pub fn claim_terminal(cx: &mut TaskContext, task: &Task, terminal: Arc<dyn ControllingTerminal>) -> Result<(), Errno> {
    let id = task.process().id();
    let mut tree = TREE.lock(cx);
    let leads = tree.entries.get(&id).is_some_and(|entry| entry.session == id);
    let session = tree.sessions.get_mut(&id).filter(|_| leads).ok_or(Errno::EPERM)?;
    if session.terminal.as_ref().is_some_and(|owned| owned.device_number() != terminal.device_number() && owned.controls(cx, id)) {
        return Err(Errno::EPERM);
    }
    let before = session.terminal.replace(terminal);
    drop(tree);
    drop(before);
    Ok(())
}

/// The caller gives its terminal up; if it leads the session, the whole session does, and those in front hear of it.
pub fn release_terminal(cx: &mut TaskContext, task: &Task) -> Result<(), Errno> {
    let id = task.process().id();
    let mut tree = TREE.lock(cx);
    let leads = tree.entries.get(&id).is_some_and(|entry| entry.session == id);
    let terminal = tree.sessions.get_mut(&id).filter(|_| leads).and_then(|session| session.terminal.take());
    if let Some(entry) = tree.entries.get_mut(&id).filter(|_| !leads) {
        entry.left_terminal = true;
    }
    drop(tree);
    match terminal {
        Some(terminal) => give_up(cx, &*terminal, id, false),
        None if leads => return Err(Errno::ENOTTY),
        None => {}
    }
    Ok(())
}

/// Whether nobody is left in its session who would continue a stopped group.
pub fn is_orphaned(cx: &mut TaskContext, group: i32) -> bool {
    TREE.lock(cx).is_orphaned(group)
}

/// The process ends: the session that it leads loses its terminal before anybody can hear of that.
pub fn leave_terminal(cx: &mut TaskContext, process: &Process) {
    let id = process.id();
    let terminal = {
        let mut tree = TREE.lock(cx);
        let leads = tree.entries.get(&id).is_some_and(|entry| entry.session == id);
        tree.sessions.get_mut(&id).filter(|_| leads).and_then(|session| session.terminal.take())
    };
    if let Some(terminal) = terminal {
        give_up(cx, &*terminal, id, true);
    }
}

/// The leader of a session is gone (`at_end`) or wants its terminal no more: those in front hear of it, and the terminal is free.
fn give_up(cx: &mut TaskContext, terminal: &dyn ControllingTerminal, session: i32, at_end: bool) {
    let (group, signals): (i32, &[u32]) = match terminal.end_session(cx, session) {
        Farewell::InFront(group) if at_end => (group, &[SIGHUP]),
        Farewell::InFront(group) | Farewell::HungUpBefore(group) => (group, &[SIGHUP, SIGCONT]),
        Farewell::Nobody => return,
    };
    if group > 0 {
        for signal in signals {
            post::send_to_group(cx, group, SignalInfo::new(*signal, code::KERNEL));
        }
    }
}
