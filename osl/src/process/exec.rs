//! A new program in the old process.
//!
//! Invariant: until `point of no return` nothing of the old program has changed, and every failure is an errno; after it nothing can
//! fail, and the process either runs the new program or, if a kill came between, ends.

use alloc::sync::Arc;

use abi::Errno;
use abi::file::mode;
use abi::signal::{SIGSEGV, SS_DISABLE, SignalStack};
use libkernel::thread::registers::{self, UserRegisters};
use libkernel::thread::user;
use sync::TaskContext;

use super::death;
use super::exit;
use super::image::{self, NewProgram};
use super::program::{self, From, ProgramFile, Wish};
use super::program_timers;
use super::shared::Process;
use super::status::ExitStatus;
use super::table::TREE;
use super::task::Task;
use crate::credentials::Credentials;
use crate::file::in_flight;
use crate::fs::Attributes;

/// Runs another program; on success the registers are the new program's.
pub fn execute(cx: &mut TaskContext, task: &Arc<Task>, registers: &mut UserRegisters, from: From, mut wish: Wish) -> Result<(), Errno> {
    let name = wish.path.clone();
    let file = program::find(cx, task, from, &mut wish)?;
    let old = task.credentials(cx);
    let new = new_credentials(&old, &file.attributes, task.process().no_new_rights.is_set());
    let gains = new.euid != old.euid || new.egid != old.egid;
    let secure = gains || new.uid != new.euid || new.gid != new.egid;
    let program = image::build(cx, task, &file, &wish, &new, secure)?;
    drop(wish);
    stay_alone(cx, task)?;
    if let Err(error) = own_files(cx, task) {
        // Its threads are gone: there is no way back, and without a table of its own none forward.
        exit::end_process(cx, task, ExitStatus::Killed { signal: SIGSEGV, dumped: false });
        return Err(error);
    }
    // The point of no return.
    let readable = may_read(&old, &file);
    drop(file);
    change_memory(cx, task, &program);
    forget_old_program(cx, task);
    task.set_credentials(cx, Arc::new(new));
    set_dumpable(task.process(), !gains && readable);
    task.process().barriers.store(0);
    task.set_name(cx, last_name(&name));
    *registers = UserRegisters::for_program(program.entry, program.stack);
    let before = task.process().replace_program(cx, Arc::new(program.program));
    drop(before);
    if let Some(entry) = TREE.lock(cx).entries.get_mut(&task.process().id()) {
        entry.has_new_program = true;
    }
    Ok(())
}

/// The rights the program runs with: its file's owner's and group's if the file says so.
fn new_credentials(old: &Credentials, file: &Attributes, no_new_rights: bool) -> Credentials {
    let mut new = old.clone();
    if !no_new_rights {
        new.has_renounced = false;
        if file.mode & mode::SET_USER != 0 {
            new.euid = file.user;
        }
        // Without the group's right to run it, the bit means mandatory locking.
        if file.mode & mode::SET_GROUP != 0 && file.mode & 0o010 != 0 {
            new.egid = file.group;
        }
    }
    new.suid = new.euid;
    new.fsuid = new.euid;
    new.sgid = new.egid;
    new.fsgid = new.egid;
    new
}

fn may_read(who: &Credentials, file: &ProgramFile) -> bool {
    crate::fs::permission::check(who, &file.attributes, crate::fs::permission::READ).is_ok()
}

fn set_dumpable(process: &Process, dumpable: bool) {
    if dumpable { process.dumpable.set() } else { process.dumpable.clear() }
}

/// Makes the other threads leave, and takes the first one's number if that was not this one.
fn stay_alone(cx: &mut TaskContext, task: &Arc<Task>) -> Result<(), Errno> {
    let process = task.process().clone();
    let id = task.id();
    {
        let mut state = process.signals.lock(cx);
        if state.must_leave(id) || state.sole.is_some() {
            return Err(Errno::ERESTARTNOINTR);
        }
        state.sole = Some(id);
        state.interrupt_all_but(id);
    }
    process.life.wake_all(cx);
    let alone = process.life.wait_until(cx, |cx| {
        let state = process.signals.lock(cx);
        if state.ending.is_some() {
            return Some(false);
        }
        (state.members.len() == 1).then_some(true)
    });
    if alone && id != process.id() {
        take_first_number(cx, &process, task);
    }
    process.signals.lock(cx).sole = None;
    // Someone ended the whole process meanwhile: the thread leaves on its way back.
    if alone { Ok(()) } else { Err(Errno::EINTR) }
}

fn take_first_number(cx: &mut TaskContext, process: &Arc<Process>, task: &Arc<Task>) {
    let (old, first) = (task.id(), process.id());
    let mut tree = TREE.lock(cx);
    let mut state = process.signals.lock(cx);
    if let Some(member) = state.members.remove(&old) {
        state.members.insert(first, member);
    }
    state.first_code = None;
    task.become_first();
    drop(state);
    let before = tree.rename_to_first(old, first);
    drop(tree);
    drop(before);
}

fn change_memory(cx: &mut TaskContext, task: &Arc<Task>, program: &NewProgram) {
    death::let_go_of_memory(cx, task, false);
    user::set_memory(cx, Some(program.space.clone()));
    let old = task.process().replace_space(cx, Some(program.space.clone()));
    drop(old);
    registers::reset_extended_state(cx);
}

/// What the old program had that the new one shall not have.
fn forget_old_program(cx: &mut TaskContext, task: &Arc<Task>) {
    let process = task.process();
    let actions = process.actions(cx);
    let old = process.replace_actions(cx, Arc::new(actions.for_new_program()));
    drop((old, actions));
    task.set_signal_stack(cx, SignalStack { flags: SS_DISABLE, ..SignalStack::default() });
    task.death_signal.store(0);
    task.sequences.register(None);
    user::tell_absence(cx, false);
    program_timers::delete_all(cx, process);
    *task.restart.lock(cx) = None;
    task.files(cx).close_for_exec(cx);
    in_flight::collect_after_end(cx);
}

/// A table of descriptors shared with another process is not closed for it.
fn own_files(cx: &mut TaskContext, task: &Arc<Task>) -> Result<(), Errno> {
    let files = task.files(cx);
    // One reference here, one in the task.
    if Arc::strong_count(&files) > 2 {
        let copy = files.duplicate(cx)?;
        let shared = task.replace_files(cx, Some(Arc::new(copy)));
        drop(shared);
    }
    Ok(())
}

fn last_name(path: &[u8]) -> &[u8] {
    path.rsplit(|byte| *byte == b'/').next().unwrap_or(path)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fs::Kind;
    use crate::fs::node::Identity;

    fn file(mode: u32) -> Attributes {
        let identity = Identity { file_system: 1, number: 1 };
        Attributes { user: 7, group: 8, ..Attributes::plain(identity, Kind::Regular, mode, 0) }
    }

    #[test]
    fn a_set_user_file_gives_its_owner_as_effective_and_saved_user() {
        let new = new_credentials(&Credentials::of(1000, 1000), &file(0o4755), false);
        assert_eq!((new.uid, new.euid, new.suid, new.fsuid), (1000, 7, 7, 7));
        assert_eq!((new.gid, new.egid), (1000, 1000));
    }

    #[test]
    fn a_set_group_bit_counts_only_where_the_group_may_run_the_file() {
        assert_eq!(new_credentials(&Credentials::of(1000, 1000), &file(0o2755), false).egid, 8);
        assert_eq!(new_credentials(&Credentials::of(1000, 1000), &file(0o2745), false).egid, 1000);
    }

    #[test]
    fn who_may_gain_no_rights_gains_none() {
        let old = Credentials::of(1000, 1000);
        assert_eq!(new_credentials(&old, &file(0o6755), true), old);
    }

    #[test]
    fn the_name_is_the_last_part_of_the_path() {
        assert_eq!(last_name(b"/bin/sh"), b"sh");
        assert_eq!(last_name(b"sh"), b"sh");
    }
}
