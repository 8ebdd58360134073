//! A snapshot of a task, taken from the task.
//!
//! Invariant: each lock is held for one figure at a time; figures of one snapshot may be of slightly different moments.

use alloc::sync::Arc;

use abi::Errno;
use libkernel::thread::{Policy, Scheduling};
use sync::{CpuSet, TaskContext, cpu};

use super::snapshot::{SignalSets, Snapshot, Spent};
use crate::process::{self, Process, Task};

/// A process, and the task of it that is looked at: none when all have ended.
pub struct Subject {
    /// The process.
    pub process: Arc<Process>,
    /// The task.
    pub task: Option<Arc<Task>>,
    /// Whether the figures are those of all its threads together.
    pub whole: bool,
}

impl Subject {
    /// A process, shown by its first thread or any that is left.
    pub fn process(cx: &mut TaskContext, number: i32) -> Result<Self, Errno> {
        let process = process::find(cx, number).ok_or(Errno::ESRCH)?;
        let tasks = process.tasks(cx);
        let first = tasks.iter().find(|task| task.id() == number).or(tasks.first());
        Ok(Self { task: first.cloned(), process, whole: true })
    }

    /// One thread.
    pub fn thread(cx: &mut TaskContext, number: i32) -> Result<Self, Errno> {
        // One that has left the list of threads keeps its number for a moment, and is not there any more.
        let task = process::find_task(cx, number).filter(|task| task.process().has_task(cx, number)).ok_or(Errno::ESRCH)?;
        Ok(Self { process: task.process().clone(), task: Some(task), whole: false })
    }

    /// The task, if it has not ended.
    pub fn task(&self) -> Result<&Arc<Task>, Errno> {
        self.task.as_ref().ok_or(Errno::ESRCH)
    }
}

/// All that /proc shows of it.
pub fn snapshot(cx: &mut TaskContext, subject: &Subject) -> Result<Snapshot, Errno> {
    let process = &subject.process;
    let relations = process.relations(cx);
    let (terminal, foreground) = match &relations.terminal {
        Some(terminal) => (terminal.device_number(), terminal.foreground_group(cx)),
        None => (0, -1),
    };
    let credentials = process.credentials(cx);
    let usage = match (&subject.task, subject.whole) {
        (Some(task), false) => task.usage(),
        _ => process.usage(cx),
    };
    let children = process.children_usage(cx);
    let scheduling = running(subject);
    let (mapped_bytes, resident_pages) = memory(cx, process);
    let task = subject.task.as_ref();
    Ok(Snapshot {
        thread: task.filter(|_| !subject.whole).map_or(process.id(), |task| task.id()),
        process: process.id(),
        parent: relations.parent,
        group: relations.group,
        session: relations.session,
        terminal,
        foreground: if foreground > 0 { foreground } else { -1 },
        name: task.map_or_else(|| process.name(cx), |task| task.name(cx)),
        state: if relations.is_zombie { 'Z' } else { state(cx, subject) },
        threads: process.tasks(cx).len(),
        spent: Spent { user_ns: usage.spent.user_ns, system_ns: usage.spent.system_ns },
        children: Spent { user_ns: children.spent.user_ns, system_ns: children.spent.system_ns },
        faults: usage.faults,
        children_faults: children.faults,
        started_ns: task.filter(|_| !subject.whole).map_or(process.started_ns(), |task| task.started_ns()),
        nice: i32::from(scheduling.scheduling.nice),
        policy: policy_number(scheduling.scheduling.policy),
        real_time_priority: u32::from(scheduling.scheduling.priority),
        cpu: scheduling.cpu,
        affinity: scheduling.affinity,
        mapped_bytes,
        resident_pages,
        users: [credentials.uid, credentials.euid, credentials.suid, credentials.fsuid],
        groups: [credentials.gid, credentials.egid, credentials.sgid, credentials.fsgid],
        further_groups: credentials.groups.to_vec(),
        privileged: credentials.is_privileged(),
        umask: task.and_then(|task| task.working_context(cx)).map_or(0, |context| context.umask(cx)),
        descriptor_places: descriptor_places(cx, task),
        signals: signals(cx, subject),
        voluntary_switches: usage.voluntary_switches,
        involuntary_switches: usage.involuntary_switches,
    })
}

struct Running {
    scheduling: Scheduling,
    cpu: usize,
    affinity: CpuSet,
}

fn running(subject: &Subject) -> Running {
    match subject.task.as_ref().and_then(|task| task.thread()) {
        Some(thread) => Running {
            scheduling: thread.scheduling(),
            cpu: thread.last_cpu().index(),
            affinity: thread.affinity().intersect(cpu::online()),
        },
        None => Running { scheduling: Scheduling::NORMAL, cpu: 0, affinity: cpu::online() },
    }
}

/// Linux's numbers, as in `sched_getscheduler`.
fn policy_number(policy: Policy) -> u32 {
    use abi::process::policy;
    match policy {
        Policy::Fair => policy::OTHER,
        Policy::Batch => policy::BATCH,
        Policy::Idle => policy::IDLE,
        Policy::Fifo => policy::FIFO,
        Policy::RoundRobin => policy::ROUND_ROBIN,
    }
}

fn memory(cx: &mut TaskContext, process: &Arc<Process>) -> (u64, u64) {
    let Some(space) = process.space(cx) else { return (0, 0) };
    (space.mapped_bytes(), u64::try_from(space.resident_pages()).unwrap_or(u64::MAX))
}

/// R while it has or waits for a CPU, T while the process is stopped, else S: nothing here sleeps deaf to signals for long.
fn state(cx: &TaskContext, subject: &Subject) -> char {
    let Some(thread) = subject.task.as_ref().and_then(|task| task.thread()) else { return 'Z' };
    if thread.is_runnable() {
        return 'R';
    }
    let signals = subject.process.signals.lock(cx);
    if signals.stopping.is_some() { 'T' } else { 'S' }
}

fn signals(cx: &TaskContext, subject: &Subject) -> SignalSets {
    let (ignored, caught) = subject.process.actions(cx).sets();
    let state = subject.process.signals.lock(cx);
    let member = subject.task.as_ref().and_then(|task| state.members.get(&task.id()));
    SignalSets {
        pending: member.map_or(0, |member| member.pending.set().bits()),
        shared_pending: state.shared.set().bits(),
        blocked: member.map_or(0, |member| member.mask.bits()),
        ignored: ignored.bits(),
        caught: caught.bits(),
    }
}

fn descriptor_places(cx: &TaskContext, task: Option<&Arc<Task>>) -> usize {
    const FEWEST: usize = 64;
    let Some(files) = task.and_then(|task| task.open_files(cx)) else { return 0 };
    let highest = files.open_descriptors(cx).last().map_or(0, |(fd, _)| usize::try_from(*fd).unwrap_or(0) + 1);
    highest.next_power_of_two().max(FEWEST)
}
