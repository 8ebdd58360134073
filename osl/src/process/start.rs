//! The first steps of a task's own thread.
//!
//! Invariant: what the thread needs waits in its task, not in the closure that it begins with: a thread that goes to its program
//! never comes back to let go of a closure.

use alloc::boxed::Box;
use alloc::sync::Arc;

use abi::Errno;
use libkernel::address_space::{AddressSpace, UserAddress, user};
use libkernel::clock;
use libkernel::log::info;
use libkernel::sched::{self, Spawn};
use libkernel::thread::registers::{self, UserRegisters};
use libkernel::thread::{self, Scheduling};
use sync::{CpuSet, TaskContext};

use super::current::current;
use super::task::Task;
use crate::error::errno;

/// The number of the first program.
const FIRST: i32 = 1;

/// How a task's thread enters its program.
pub struct Start {
    /// With these registers.
    pub registers: UserRegisters,
    /// With this thread storage; `None`: as its maker.
    pub storage: Option<u64>,
    /// Its number is written here first.
    pub number_at: Option<u64>,
}

/// Where and how the thread is to run.
pub struct Place {
    /// Its memory.
    pub space: Arc<AddressSpace>,
    /// Its share of the CPUs.
    pub scheduling: Scheduling,
    /// The CPUs it may use.
    pub affinity: CpuSet,
    /// Whether it starts with the vector registers and segments of the calling thread.
    pub inherits: bool,
}

/// Makes the thread of a task and lets it run.
pub fn start(cx: &mut TaskContext, task: &Arc<Task>, start: Start, place: Place) -> Result<(), Errno> {
    task.set_start(cx, Box::new(start));
    let name = task.name(cx);
    let spawn = Spawn {
        name: &name,
        payload: Some(task.clone()),
        user_memory: Some(place.space),
        inherit_state: place.inherits,
        scheduling: place.scheduling,
        affinity: place.affinity,
        entry: Box::new(begin),
    };
    // Not later: the thread must find itself under its task, whoever is faster.
    sched::spawn_known(cx, spawn, |thread| task.attach(thread)).map(drop).map_err(errno)
}

/// Nothing that needs to be dropped may be left when the thread goes to its program.
fn begin(cx: &mut TaskContext) {
    let Some(registers) = prepare(cx) else {
        return;
    };
    thread::user::enter(cx, &registers)
}

fn prepare(cx: &mut TaskContext) -> Option<UserRegisters> {
    let task = current(cx)?;
    let start = *task.take_start(cx)?;
    if let Some(storage) = start.storage {
        // Whoever made the task has checked the address.
        registers::set_fs_base(cx, storage).unwrap_or_default();
    }
    if let Some(at) = start.number_at {
        // As on Linux, a wild pointer is the program's own loss.
        let _ = user::copy_out_value(cx, UserAddress::new(at), &task.id());
    }
    if task.sequences.registration().is_some() {
        thread::user::tell_absence(cx, true);
    }
    // Whatever was posted before the thread had a name is looked at now.
    task.must_look();
    if task.id() == FIRST {
        info!("braid: boot first-user-instruction {} us", clock::now() / 1000);
    }
    Some(start.registers)
}
