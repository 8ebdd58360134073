//! fork, vfork and threads: a task that goes on where its maker stands.
//!
//! Invariant: the new task is in the tree and in its process's list of threads before it first runs; if its thread cannot be made,
//! it is taken out again and nobody has seen more of it than its number.

use alloc::sync::Arc;

use abi::Errno;
use abi::constant::*;
use abi::process::limit;
use abi::signal::{SIGNAL_COUNT, SS_DISABLE, SignalStack};
use libkernel::address_space::{UserAddress, user};
use libkernel::memory::frames::{self, Shortage};
use libkernel::thread::registers::{USER_END, UserRegisters};
use libkernel::thread::{self, Scheduling};
use sync::TaskContext;

use super::descriptor::ProcessDescriptor;
use super::shared::{Beginning, Process};
use super::signals::SignalSet;
use super::signals::state::Member;
use super::start::{self, Place, Start};
use super::table::TREE;
use super::task::{Inheritance, Task};
use crate::error::errno;
use crate::file::{OpenFile, Promised};

/// What the maker asks for.
#[derive(Clone, Copy, Debug, Default)]
pub struct Request {
    /// The `CLONE_` bits, without the exit signal.
    pub flags: u64,
    /// The signal to the parent at the end of a new process.
    pub exit_signal: u32,
    /// The new task's stack pointer, 0 for its maker's.
    pub stack: u64,
    /// Where its number is written in its maker's memory.
    pub parent_thread: u64,
    /// Where its number is written in its own memory, and cleared at its end.
    pub child_thread: u64,
    /// Its thread storage.
    pub thread_storage: u64,
    /// Where a descriptor of the new process is written in its maker's memory.
    pub descriptor: u64,
}

impl Request {
    fn has(&self, flag: u32) -> bool {
        self.flags & u64::from(flag) != 0
    }

    /// Refuses what contradicts itself and what this kernel has not got.
    fn check(&self) -> Result<(), Errno> {
        let namespaces = CLONE_NEWNS | CLONE_NEWCGROUP | CLONE_NEWUTS | CLONE_NEWIPC | CLONE_NEWUSER | CLONE_NEWPID | CLONE_NEWNET;
        // Who shares the view of the files cannot have mounts of his own.
        if self.has(CLONE_FS) && self.has(CLONE_NEWNS | CLONE_NEWUSER) {
            return Err(Errno::EINVAL);
        }
        if self.has(namespaces) {
            return Err(Errno::EPERM);
        }
        let contradicts = self.has(CLONE_THREAD) && !self.has(CLONE_SIGHAND)
            || self.has(CLONE_SIGHAND) && !self.has(CLONE_VM)
            || self.has(CLONE_PIDFD) && self.has(CLONE_THREAD | CLONE_DETACHED)
            || self.flags >> 33 != 0
            || self.exit_signal > SIGNAL_COUNT;
        if contradicts {
            return Err(Errno::EINVAL);
        }
        if self.has(CLONE_SETTLS) && self.thread_storage >= USER_END { Err(Errno::EPERM) } else { Ok(()) }
    }

    /// Whether the maker waits until the new task has let go of the memory.
    fn lends(&self) -> bool {
        self.has(CLONE_VFORK)
    }
}

/// Frames that a task takes at least, counted with all that belongs to it.
const FRAMES_PER_TASK: u64 = 8;
/// The bit of `clone3` that gives the new process default actions.
pub const CLEAR_ACTIONS: u64 = 1 << 32;

/// Makes a task that starts with the maker's registers; answers its number.
pub fn clone(cx: &mut TaskContext, maker: &Arc<Task>, at: &UserRegisters, request: &Request) -> Result<i32, Errno> {
    request.check()?;
    check_room(cx, maker)?;
    let task = if request.has(CLONE_THREAD) { new_thread(cx, maker, request)? } else { new_process(cx, maker, request)? };
    let id = task.id();
    if let Err(error) = describe(cx, maker, &task, request) {
        undo(cx, &task);
        return Err(error);
    }
    if request.has(CLONE_PARENT_SETTID) {
        // As on Linux, a wild pointer is the program's own loss.
        let _ = user::copy_out_value(cx, UserAddress::new(request.parent_thread), &id);
    }
    if let Err(error) = begin(cx, maker, &task, at, request) {
        undo(cx, &task);
        return Err(error);
    }
    if request.lends() {
        wait_for_memory(cx, maker, &task);
    }
    Ok(id)
}

/// Gives the maker a descriptor of the new process, if it asked for one.
fn describe(cx: &mut TaskContext, maker: &Task, task: &Task, request: &Request) -> Result<(), Errno> {
    if !request.has(CLONE_PIDFD) {
        return Ok(());
    }
    let files = maker.files(cx);
    let opened = ProcessDescriptor::new(task.process().clone());
    let open = OpenFile::new(opened, O_RDWR, None, maker.credentials(cx));
    let most = maker.process().soft_limit(cx, limit::FILES);
    let promised = Promised::new(cx, &files, most)?;
    user::copy_out_value(cx, UserAddress::new(request.descriptor), &promised.fd()).map_err(errno)?;
    promised.keep(cx, open, true);
    Ok(())
}

/// Whether there may be one more task.
fn check_room(cx: &mut TaskContext, maker: &Task) -> Result<(), Errno> {
    if frames::shortage() >= Shortage::Near {
        return Err(Errno::ENOMEM);
    }
    let memory = frames::statistics();
    let credentials = maker.credentials(cx);
    let allowed = maker.process().soft_limit(cx, limit::PROCESSES);
    let (all, of_user) = TREE.lock(cx).count(credentials.uid);
    let user_has_too_many = u64::try_from(of_user).unwrap_or(u64::MAX) >= allowed;
    let all = u64::try_from(all).unwrap_or(u64::MAX);
    if (user_has_too_many && !credentials.is_privileged()) || all >= memory.total / FRAMES_PER_TASK {
        return Err(Errno::EAGAIN);
    }
    Ok(())
}

fn new_thread(cx: &mut TaskContext, maker: &Arc<Task>, request: &Request) -> Result<Arc<Task>, Errno> {
    let from = inheritance(cx, maker, request)?;
    let user = from.credentials.uid;
    let id = TREE.lock(cx).take_number().ok_or(Errno::EAGAIN)?;
    let process = maker.process().clone();
    let task = Task::new(id, process.clone(), from);
    if request.has(CLONE_CHILD_CLEARTID) {
        task.clear_child.store(request.child_thread);
    }
    TREE.lock(cx).add_task(task.clone(), user);
    let mut state = process.signals.lock(cx);
    if state.must_leave(maker.id()) {
        drop(state);
        TREE.lock(cx).remove_task(id, &task);
        return Err(Errno::EINTR);
    }
    let mask = state.members.get(&maker.id()).map_or(SignalSet::EMPTY, |member| member.mask);
    state.members.insert(id, Member::new(task.clone(), mask));
    drop(state);
    Ok(task)
}

fn new_process(cx: &mut TaskContext, maker: &Arc<Task>, request: &Request) -> Result<Arc<Task>, Errno> {
    let from = inheritance(cx, maker, request)?;
    let user = from.credentials.uid;
    let beginning = beginning(cx, maker, request)?;
    let (parent, exit_signal) = parent(cx, maker.process(), request)?;
    let id = TREE.lock(cx).take_number().ok_or(Errno::EAGAIN)?;
    let process = Process::new(id, beginning);
    if maker.process().no_new_rights.is_set() {
        process.no_new_rights.set();
    }
    process.barriers.store(maker.process().barriers.load());
    if !maker.process().dumpable.is_set() {
        process.dumpable.clear();
    }
    let task = Task::new(id, process.clone(), from);
    if request.has(CLONE_CHILD_CLEARTID) {
        task.clear_child.store(request.child_thread);
    }
    if !request.has(CLONE_VM) {
        task.sequences.register(maker.sequences.registration());
    }
    let mask = maker.process().signals.lock(cx).members.get(&maker.id()).map_or(SignalSet::EMPTY, |member| member.mask);
    process.signals.lock(cx).members.insert(id, Member::new(task.clone(), mask));
    let mut tree = TREE.lock(cx);
    // Who has been killed makes nobody who would escape the same kill; whoever kills looks for newcomers under this lock.
    if maker.process().signals.lock(cx).must_leave(maker.id()) {
        tree.return_number(id);
        drop(tree);
        let member = process.signals.lock(cx).members.remove(&id);
        drop(member);
        return Err(Errno::EINTR);
    }
    tree.add_process(process.clone(), parent, exit_signal);
    tree.made_by(id, maker.id());
    tree.add_task(task.clone(), user);
    drop(tree);
    if let Some(limit) = process.limit(cx, limit::CPU) {
        process.cpu_limit.set(cx, limit);
    }
    Ok(task)
}

/// Whose child the new process is, and what signal tells of its end: nobody chooses one for his own parent.
fn parent(cx: &mut TaskContext, maker: &Process, request: &Request) -> Result<(i32, u32), Errno> {
    if !request.has(CLONE_PARENT) {
        return Ok((maker.id(), request.exit_signal));
    }
    match TREE.lock(cx).entries.get(&maker.id()) {
        Some(entry) if entry.parent != 0 => Ok((entry.parent, entry.exit_signal)),
        _ => Err(Errno::EINVAL),
    }
}

fn inheritance(cx: &mut TaskContext, maker: &Arc<Task>, request: &Request) -> Result<Inheritance, Errno> {
    let files = maker.files(cx);
    let file_system = maker.file_system(cx);
    // A thread runs on another stack than its maker: the signal stack is the maker's alone, unless it only borrows the memory.
    let keeps_signal_stack = !request.has(CLONE_VM) || request.has(CLONE_VFORK);
    let no_stack = SignalStack { flags: SS_DISABLE, ..SignalStack::default() };
    Ok(Inheritance {
        files: if request.has(CLONE_FILES) { files } else { Arc::new(files.duplicate(cx)?) },
        file_system: if request.has(CLONE_FS) { file_system } else { Arc::new(file_system.duplicate(cx)) },
        credentials: maker.credentials(cx),
        name: maker.name_bytes(cx),
        signal_stack: if keeps_signal_stack { maker.signal_stack(cx) } else { no_stack },
        lender: request.lends().then(|| maker.process().clone()),
    })
}

fn beginning(cx: &mut TaskContext, maker: &Arc<Task>, request: &Request) -> Result<Beginning, Errno> {
    let process = maker.process();
    let space = process.space(cx).ok_or(Errno::ENOMEM)?;
    let actions = process.actions(cx);
    let clears_actions = request.flags & CLEAR_ACTIONS != 0;
    Ok(Beginning {
        limits: process.limits(cx),
        program: process.program(cx),
        credentials: maker.credentials(cx),
        name: maker.name_bytes(cx),
        space: Some(if request.has(CLONE_VM) { space } else { space.fork(cx).map_err(errno)? }),
        actions: if request.has(CLONE_SIGHAND) {
            actions
        } else if clears_actions {
            Arc::new(actions.for_new_program())
        } else {
            Arc::new(actions.duplicate())
        },
    })
}

fn begin(cx: &mut TaskContext, maker: &Task, task: &Arc<Task>, at: &UserRegisters, request: &Request) -> Result<(), Errno> {
    let mut registers = at.clone();
    registers.set_result(0);
    registers.forget_system_call();
    if request.stack != 0 {
        registers.set_stack_pointer(request.stack);
    }
    let start = Start {
        registers,
        storage: request.has(CLONE_SETTLS).then_some(request.thread_storage),
        number_at: request.has(CLONE_CHILD_SETTID).then_some(request.child_thread),
    };
    let mine = thread::current::of(cx).clone();
    let place = Place {
        space: task.process().space(cx).ok_or(Errno::ENOMEM)?,
        scheduling: scheduling(maker, mine.scheduling()),
        affinity: mine.affinity(),
        inherits: true,
    };
    start::start(cx, task, start, place)
}

/// The maker's share of the CPUs, or the usual one if the maker asked for that.
fn scheduling(maker: &Task, own: Scheduling) -> Scheduling {
    if maker.reset_on_fork.is_set() { Scheduling { nice: own.nice.max(0), ..Scheduling::NORMAL } } else { own }
}

/// Takes a task out again whose thread could not be made.
pub(super) fn undo(cx: &mut TaskContext, task: &Arc<Task>) {
    let (id, process) = (task.id(), task.process().clone());
    if id == process.id() {
        process.cpu_limit.cancel(cx);
    }
    let member = process.signals.lock(cx).members.remove(&id);
    let mut tree = TREE.lock(cx);
    let place = tree.remove_task(id, task);
    let entry = if id == process.id() { tree.bury(id) } else { None };
    drop(tree);
    drop((member, place, entry));
}

/// Waits until the child has changed its program or ended; only the maker's own end cuts that short.
fn wait_for_memory(cx: &mut TaskContext, maker: &Arc<Task>, child: &Arc<Task>) {
    let process = maker.process().clone();
    process.life.wait_patiently_until(cx, |cx| {
        let over = !child.borrows(cx) || process.signals.lock(cx).must_leave(maker.id());
        over.then_some(())
    });
}
