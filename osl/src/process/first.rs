//! The first process, made from nothing.
//!
//! Invariant: it has number 1, leads session 1 and group 1, and runs with all rights. If its program cannot be run, nothing is left.

use alloc::sync::Arc;

use abi::Errno;
use abi::signal::{SS_DISABLE, SignalStack};
use libkernel::memory::frames;
use libkernel::thread::Scheduling;
use libkernel::thread::registers::UserRegisters;
use sync::{CpuSet, MAXIMUM_CPUS, TaskContext};

use super::image;
use super::limits::Limits;
use super::program::{self, From, Wish};
use super::shared::{Beginning, Process, Program};
use super::signals::state::Member;
use super::signals::{SignalActions, SignalSet};
use super::start::{self, Place, Start};
use super::table::TREE;
use super::task::{Inheritance, NAME_BYTES, Task};
use super::tree::FIRST;
use crate::credentials::Credentials;
use crate::file::FileTable;
use crate::fs::FileSystemContext;

/// Frames for each task that the limits allow one user.
const FRAMES_PER_TASK: u64 = 16;

/// Makes the first task, without a thread and without a program yet.
pub fn make(cx: &mut TaskContext, files: Arc<FileTable>, file_system: Arc<FileSystemContext>) -> Result<Arc<Task>, Errno> {
    let credentials = Arc::new(Credentials::root());
    let beginning = Beginning {
        limits: Limits::first(frames::statistics().total / FRAMES_PER_TASK),
        program: Arc::new(Program::default()),
        credentials: credentials.clone(),
        name: [0; NAME_BYTES],
        space: None,
        actions: Arc::new(SignalActions::new()),
    };
    let inheritance = Inheritance {
        files,
        file_system,
        credentials,
        name: [0; NAME_BYTES],
        signal_stack: SignalStack { flags: SS_DISABLE, ..SignalStack::default() },
        lender: None,
    };
    let mut tree = TREE.lock(cx);
    if !tree.entries.is_empty() {
        return Err(Errno::EBUSY);
    }
    let number = tree.take_number();
    assert!(number == Some(FIRST), "the first process was not given the first number");
    let process = Process::new(FIRST, beginning);
    let task = Task::new(FIRST, process.clone(), inheritance);
    process.signals.lock(cx).members.insert(FIRST, Member::new(task.clone(), SignalSet::EMPTY));
    tree.add_process(process, 0, 0);
    tree.add_task(task.clone(), 0);
    Ok(task)
}

/// Gives the first task its program and lets it run.
pub fn run(cx: &mut TaskContext, task: &Arc<Task>, mut wish: Wish) -> Result<(), Errno> {
    let name = wish.path.clone();
    let file = program::find(cx, task, From::WORKING_DIRECTORY, &mut wish)?;
    let credentials = task.credentials(cx);
    let program = image::build(cx, task, &file, &wish, &credentials, false)?;
    let process = task.process();
    let before = (process.replace_space(cx, Some(program.space.clone())), process.replace_program(cx, Arc::new(program.program)));
    drop(before);
    task.set_name(cx, name.rsplit(|byte| *byte == b'/').next().unwrap_or(&name));
    let registers = UserRegisters::for_program(program.entry, program.stack);
    let place = Place { space: program.space, scheduling: Scheduling::NORMAL, affinity: CpuSet::all_below(MAXIMUM_CPUS), inherits: false };
    start::start(cx, task, Start { registers, storage: None, number_at: None }, place)
}

/// Takes the first task out again, whose program could not be run.
pub fn unmake(cx: &mut TaskContext, task: &Arc<Task>) {
    super::clone::undo(cx, task);
}
