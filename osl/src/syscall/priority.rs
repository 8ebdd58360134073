//! getpriority, setpriority: the nice value of a thread, a group or a user.
//!
//! Invariant: of several threads named at once, each is judged by itself; one refusal is reported, the others change.

use alloc::sync::Arc;
use alloc::vec::Vec;

use abi::Errno;

use super::Caller;
use super::sched::{grants, owned, target};
use super::sched_rules::{self, Wanted};
use super::scheduling;
use crate::process::{self, Process, Task};

const PROCESS: i32 = 0;
const GROUP: i32 = 1;
const USER: i32 = 2;

/// Gives back 20 minus the lowest nice value, so that the answer is above zero.
pub fn getpriority(caller: &mut Caller<'_>, which: i32, who: i32) -> Result<i32, Errno> {
    let tasks = named(caller, which, who)?;
    let lowest = tasks.iter().filter_map(|task| scheduling::of(task).ok()).map(|now| now.nice).min();
    lowest.map(|nice| 20 - nice).ok_or(Errno::ESRCH)
}

pub fn setpriority(caller: &mut Caller<'_>, which: i32, who: i32, nice: i32) -> Result<(), Errno> {
    let nice = nice.clamp(-20, 19);
    let tasks = named(caller, which, who)?;
    let mut result = Err(Errno::ESRCH);
    for task in tasks {
        match set_one(caller, &task, nice) {
            Ok(()) if result == Err(Errno::ESRCH) => result = Ok(()),
            Ok(()) => {}
            Err(refusal) => result = Err(refusal),
        }
    }
    result
}

fn set_one(caller: &mut Caller<'_>, task: &Arc<Task>, nice: i32) -> Result<(), Errno> {
    owned(caller, task)?;
    let now = scheduling::of(task)?;
    let privileged = caller.credentials().is_privileged();
    if !privileged && nice < now.nice && !sched_rules::may_be_nice(nice, grants(caller, task)) {
        return Err(Errno::EACCES);
    }
    scheduling::set(caller.cx, task, Wanted { nice, ..now })
}

fn named(caller: &mut Caller<'_>, which: i32, who: i32) -> Result<Vec<Arc<Task>>, Errno> {
    match which {
        PROCESS => Ok(target(caller, who).map_or_else(|_| Vec::new(), |task| alloc::vec![task])),
        GROUP => {
            let group = if who == 0 { caller.process().relations(caller.cx).group } else { who };
            let processes = process::in_group(caller.cx, group);
            Ok(tasks_of(caller, &processes))
        }
        USER => {
            let user = if who == 0 { caller.credentials().uid } else { who.cast_unsigned() };
            let processes = process::all(caller.cx);
            let mut tasks = tasks_of(caller, &processes);
            tasks.retain(|task| task.credentials(caller.cx).uid == user);
            Ok(tasks)
        }
        _ => Err(Errno::EINVAL),
    }
}

fn tasks_of(caller: &Caller<'_>, processes: &[Arc<Process>]) -> Vec<Arc<Task>> {
    processes.iter().flat_map(|process| process.tasks(caller.cx)).collect()
}
