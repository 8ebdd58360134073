//! Process: what the tasks of one program share.
//!
//! Invariant: who its parent, children, group and session are is not here but in the tree; its tasks are the members of its
//! signal state. `life` is woken after the change whenever a task leaves, a lent memory comes back, or the process ends or goes on.

use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec::Vec;

use abi::Errno;
use abi::process::{Rlimit, limit};
use libkernel::address_space::{AddressSpace, Limits as MemoryLimits};
use libkernel::census::{Census, Counted};
use libkernel::clock;
use libkernel::wait::WaitQueue;
use sync::{Allows, Flag, Published, SpinLock, TaskContext, kind, order};

use super::cpu_limit::CpuLimit;
use super::interval::IntervalTimers;
use super::limits::Limits;
use super::signals::SignalActions;
use super::signals::state::SignalState;
use super::task::{NAME_BYTES, Task, name_text};
use super::times::{Spent, Usage};
use crate::credentials::Credentials;
use crate::fs::Found;

/// Where a program's arguments stand in its memory, for /proc.
#[derive(Clone, Default)]
pub struct Program {
    /// Its file, as it was found: no path needs to be followed again to show or to open it.
    pub file: Option<Found>,
    /// First and last-but-one byte of its arguments.
    pub arguments: (u64, u64),
    /// The same of its environment.
    pub environment: (u64, u64),
}

struct Shared {
    limits: Limits,
    /// What its ended children that were waited for used, with their own children.
    children: Usage,
    program: Arc<Program>,
    credentials: Arc<Credentials>,
    name: [u8; NAME_BYTES],
    space: Option<Arc<AddressSpace>>,
}

/// Processes, until nobody knows them any more.
pub static LIVING: Census = Census::new("processes");

/// A process.
pub struct Process {
    _counted: Counted,
    id: i32,
    started_ns: u64,
    /// Signals and tasks.
    pub signals: SpinLock<SignalState, order::Signals>,
    actions: SpinLock<Arc<SignalActions>, order::Signals>,
    shared: SpinLock<Shared, order::ThreadPayload>,
    /// See the file's invariant.
    pub life: WaitQueue,
    /// Woken after a child ended, stopped or went on.
    pub child_changed: WaitQueue,
    /// The timers of `setitimer`.
    pub interval: IntervalTimers,
    /// Its limit of processor time.
    pub cpu_limit: CpuLimit,
    stage: Published<u8>,
    /// It has a timer by the wall clock, and is told when that is set.
    pub(super) hears_of_wall_clock: Flag,
    /// It has looked at its signals through a file; see `signals::watch`.
    pub(super) is_watched: Flag,
    /// Whether it must never gain rights by changing its program.
    pub no_new_rights: Flag,
    /// Whether others of its user may look into it.
    pub dumpable: Flag,
    /// Some of what it did to semaphores is taken back at its end.
    pub undoes_operations: Flag,
    /// Which kinds of `membarrier` it has registered for.
    pub barriers: Published<u32>,
}

/// How far a process has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Stage {
    /// It runs.
    Alive,
    /// It has ended, and was not waited for.
    Ended,
    /// Nobody will find it any more.
    Buried,
}

/// What a new process starts with.
pub struct Beginning {
    /// Its limits.
    pub limits: Limits,
    /// Its program.
    pub program: Arc<Program>,
    /// Its rights.
    pub credentials: Arc<Credentials>,
    /// Its name.
    pub name: [u8; NAME_BYTES],
    /// Its memory, if it has one already.
    pub space: Option<Arc<AddressSpace>>,
    /// Its actions.
    pub actions: Arc<SignalActions>,
}

impl Process {
    /// A process without tasks.
    pub fn new(id: i32, from: Beginning) -> Arc<Self> {
        let shared = Shared {
            limits: from.limits,
            children: Usage::default(),
            program: from.program,
            credentials: from.credentials,
            name: from.name,
            space: from.space,
        };
        Arc::new_cyclic(|this| Self {
            _counted: LIVING.count(),
            id,
            started_ns: clock::now(),
            signals: SpinLock::new(SignalState::new()),
            actions: SpinLock::new(from.actions),
            shared: SpinLock::new(shared),
            life: WaitQueue::named("its process's other threads"),
            child_changed: WaitQueue::named("a child"),
            interval: IntervalTimers::new(this.clone()),
            cpu_limit: CpuLimit::new(this.clone()),
            stage: Published::<u8>::new(Stage::Alive as u8),
            hears_of_wall_clock: Flag::new(false),
            is_watched: Flag::new(false),
            no_new_rights: Flag::new(false),
            dumpable: Flag::new(true),
            undoes_operations: Flag::new(false),
            barriers: Published::<u32>::new(0),
        })
    }

    /// Its number, as `getpid` says.
    pub fn id(&self) -> i32 {
        self.id
    }

    /// How far it has come.
    pub fn stage(&self) -> Stage {
        match self.stage.load() {
            0 => Stage::Alive,
            1 => Stage::Ended,
            _ => Stage::Buried,
        }
    }

    /// It has come so far; written with the tree locked, and `life` is woken after.
    pub(super) fn reach(&self, stage: Stage) {
        self.stage.store(stage as u8);
    }

    /// When it was made.
    pub fn started_ns(&self) -> u64 {
        self.started_ns
    }

    /// Is a task of that number among `tasks`?
    pub fn has_task(&self, cx: &TaskContext, id: i32) -> bool {
        self.signals.lock(cx).members.contains_key(&id)
    }

    /// Its tasks, by number. Empty for one that has ended.
    pub fn tasks(&self, cx: &TaskContext) -> Vec<Arc<Task>> {
        let mut tasks = Vec::new();
        loop {
            let wanted = self.signals.lock(cx).members.len();
            tasks.clear();
            tasks.reserve(wanted);
            let state = self.signals.lock(cx);
            if state.members.len() <= tasks.capacity() {
                tasks.extend(state.members.values().map(|member| member.task.clone()));
                return tasks;
            }
        }
    }

    /// What it does about each signal.
    pub fn actions<X: Allows<kind::Irq>>(&self, cx: &X) -> Arc<SignalActions> {
        self.actions.lock(cx).clone()
    }

    /// Gives it other actions; answers the old ones.
    pub fn replace_actions(&self, cx: &TaskContext, actions: Arc<SignalActions>) -> Arc<SignalActions> {
        core::mem::replace(&mut *self.actions.lock(cx), actions)
    }

    /// Its memory, unless it has ended.
    pub fn space(&self, cx: &TaskContext) -> Option<Arc<AddressSpace>> {
        self.shared.lock(cx).space.clone()
    }

    /// Gives it another memory, or none; answers the old one, to be let go of outside the lock.
    pub fn replace_space(&self, cx: &TaskContext, space: Option<Arc<AddressSpace>>) -> Option<Arc<AddressSpace>> {
        core::mem::replace(&mut self.shared.lock(cx).space, space)
    }

    /// A resource limit.
    pub fn limit<X: Allows<kind::Task>>(&self, cx: &X, number: u32) -> Option<Rlimit> {
        self.shared.lock(cx).limits.get(number)
    }

    /// The soft limit of a resource.
    pub fn soft_limit<X: Allows<kind::Task>>(&self, cx: &X, number: u32) -> u64 {
        self.limit(cx, number).map_or(0, |limit| limit.soft)
    }

    /// Sets a resource limit.
    pub fn set_limit(&self, cx: &TaskContext, number: u32, new: Rlimit, privileged: bool) -> Result<(), Errno> {
        self.shared.lock(cx).limits.set(number, new, privileged)?;
        if number == limit::CPU {
            self.cpu_limit.set(cx, new);
        }
        Ok(())
    }

    /// What its memory may grow to.
    pub fn memory_limits(&self, cx: &TaskContext) -> MemoryLimits {
        MemoryLimits {
            address_space: self.soft_limit(cx, limit::ADDRESS_SPACE),
            data: self.soft_limit(cx, limit::DATA),
            stack: self.soft_limit(cx, limit::STACK),
            ..MemoryLimits::default()
        }
    }

    /// All limits.
    pub fn limits(&self, cx: &TaskContext) -> Limits {
        self.shared.lock(cx).limits.clone()
    }

    /// Its program.
    pub fn program(&self, cx: &TaskContext) -> Arc<Program> {
        self.shared.lock(cx).program.clone()
    }

    /// Names its program; answers the old one.
    pub fn replace_program(&self, cx: &TaskContext, program: Arc<Program>) -> Arc<Program> {
        core::mem::replace(&mut self.shared.lock(cx).program, program)
    }

    /// Its program's file.
    pub fn executable(&self, cx: &TaskContext) -> Option<Found> {
        self.program(cx).file.clone()
    }

    /// Where its arguments stand in its memory.
    pub fn argument_area(&self, cx: &TaskContext) -> (u64, u64) {
        self.program(cx).arguments
    }

    /// Where its environment stands in its memory.
    pub fn environment_area(&self, cx: &TaskContext) -> (u64, u64) {
        self.program(cx).environment
    }

    /// With whose rights it acts: what one of its tasks set last.
    pub fn credentials(&self, cx: &TaskContext) -> Arc<Credentials> {
        self.shared.lock(cx).credentials.clone()
    }

    /// One of its tasks has other rights now; answers those before, to be let go of outside the lock.
    pub(super) fn set_credentials(&self, cx: &TaskContext, credentials: Arc<Credentials>) -> Arc<Credentials> {
        core::mem::replace(&mut self.shared.lock(cx).credentials, credentials)
    }

    /// The name of its first task, also after its end.
    pub fn name(&self, cx: &TaskContext) -> String {
        name_text(&self.shared.lock(cx).name)
    }

    pub(super) fn set_name(&self, cx: &TaskContext, name: [u8; NAME_BYTES]) {
        self.shared.lock(cx).name = name;
    }

    /// What all its tasks used, ended ones too.
    pub fn usage(&self, cx: &TaskContext) -> Usage {
        let mut usage = self.signals.lock(cx).usage();
        if let Some(space) = self.space(cx) {
            usage.most_pages = usage.most_pages.max(u64::try_from(space.resident_pages()).unwrap_or(u64::MAX));
        }
        usage
    }

    /// The processor time used up to now, and by how many tasks at once more may be used. For handlers too.
    pub(super) fn spent_now<X: Allows<kind::Irq>>(&self, cx: &X) -> (Spent, u64) {
        let state = self.signals.lock(cx);
        (state.usage().spent, u64::try_from(state.members.len()).unwrap_or(u64::MAX))
    }

    /// Its processor time.
    pub fn times(&self, cx: &TaskContext) -> Spent {
        self.usage(cx).spent
    }

    /// What its ended children that were waited for used.
    pub fn children_usage(&self, cx: &TaskContext) -> Usage {
        self.shared.lock(cx).children
    }

    /// Their processor time.
    pub fn children_times(&self, cx: &TaskContext) -> Spent {
        self.children_usage(cx).spent
    }

    /// A child was waited for, having used this.
    pub(super) fn add_child(&self, cx: &TaskContext, usage: Usage) {
        let mut shared = self.shared.lock(cx);
        shared.children = shared.children.plus(usage);
    }
}
