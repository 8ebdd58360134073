//! Starting a thread.
//!
//! Invariant: a thread is queued only when all of it is there; whoever fails before that leaves nothing behind.

use super::place;
use super::switch::begin;
use crate::error::KernelError;
use crate::thread::registers::with_private;
use crate::thread::scheduling::Scheduling;
use crate::thread::stack::Stack;
use crate::thread::thread::{Entry, Parts, Payload, Private};
use crate::thread::user::{OwnMemory, UserMemory};
use crate::thread::{Thread, remains};
use alloc::sync::Arc;
use machine::context::Context;
use machine::cpu::fpu::ExtendedState;
use sync::{CpuSet, MAXIMUM_CPUS, TaskContext};

/// What a new thread is to be.
pub struct Spawn<'a> {
    pub name: &'a str,
    pub payload: Option<Payload>,
    /// The memory that its program lives in; a thread without can never enter ring 3.
    pub user_memory: Option<Arc<dyn UserMemory>>,
    /// It starts with the caller's floating-point and vector registers and segment bases.
    pub inherit_state: bool,
    pub scheduling: Scheduling,
    pub affinity: CpuSet,
    /// What it runs; when this returns, the thread ends.
    pub entry: Entry,
}

impl<'a> Spawn<'a> {
    /// A kernel thread like any other.
    pub fn kernel(name: &'a str, entry: Entry) -> Self {
        Spawn {
            name,
            payload: None,
            user_memory: None,
            inherit_state: false,
            scheduling: Scheduling::NORMAL,
            affinity: CpuSet::all_below(MAXIMUM_CPUS),
            entry,
        }
    }
}

/// Makes a thread and queues it; it may have run before this returns.
pub fn spawn(cx: &mut TaskContext, spawn: Spawn<'_>) -> Result<Arc<Thread>, KernelError> {
    spawn_known(cx, spawn, |_| ())
}

/// The same; what `introduce` does, is done before the thread runs.
pub fn spawn_known(cx: &mut TaskContext, spawn: Spawn<'_>, introduce: impl FnOnce(&Arc<Thread>)) -> Result<Arc<Thread>, KernelError> {
    remains::collect();
    let thread = make(cx, spawn)?;
    introduce(&thread);
    place::queue(Arc::clone(&thread));
    Ok(thread)
}

#[allow(unsafe_code)]
fn make(cx: &mut TaskContext, spawn: Spawn<'_>) -> Result<Arc<Thread>, KernelError> {
    let stack = Stack::take()?;
    let extended = match &spawn.user_memory {
        Some(_) => Some(ExtendedState::new().ok_or(KernelError::NoMemory)?),
        None => None,
    };
    let mut private = Private::without_stack(spawn.user_memory.map(OwnMemory::of));
    // SAFETY: the stack is this thread's alone from now on, and its top is a multiple of a page.
    private.context = unsafe { Context::new(stack.top(), begin, 0) };
    private.stack = Some(stack);
    private.extended = extended;
    private.entry = Some(spawn.entry);
    if spawn.inherit_state {
        inherit(cx, &mut private);
    }
    let thread = Thread::new(Parts {
        name: spawn.name,
        payload: spawn.payload,
        scheduling: spawn.scheduling,
        affinity: spawn.affinity,
        home: place::least_loaded(spawn.affinity.intersect(sync::cpu::online())),
        idle: false,
        private,
    });
    // SAFETY: nobody else has the thread yet.
    unsafe { thread.private.with(|private| private.itself = Some(Arc::clone(&thread))) };
    Ok(thread)
}

fn inherit(cx: &TaskContext, new: &mut Private) {
    with_private(cx, |parent, _| {
        new.fs_base = parent.fs_base;
        new.gs_base = parent.gs_base;
        if let (Some(from), Some(to)) = (&mut parent.extended, &mut new.extended) {
            from.save();
            to.clone_from(from);
        }
    });
}
