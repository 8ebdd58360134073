//! Task: the Linux side of one thread.
//!
//! Invariant: a task runs in one process for life; its number changes only when it changes the program in place of the first
//! thread. What it leaves behind at its end (descriptors, places) it lets go of itself, in its own context.

use alloc::boxed::Box;
use alloc::string::String;
use alloc::sync::{Arc, Weak};

use abi::signal::SignalStack;
use libkernel::census::{Census, Counted};
use libkernel::clock;
use libkernel::thread::Thread;
use sync::{Counter, Flag, Once, Published, SpinLock, TaskContext, order};

use super::restart::Restart;
use super::sequences::Sequences;
use super::shared::Process;
use super::start::Start;
use super::times::Usage;
use super::{Spent, table};
use crate::credentials::Credentials;
use crate::file::FileTable;
use crate::fs::FileSystemContext;
use crate::futex::Owner;

/// The longest name, with its end mark.
pub const NAME_BYTES: usize = 16;

/// What only the task itself changes, but others may look at.
struct Own {
    files: Option<Arc<FileTable>>,
    file_system: Option<Arc<FileSystemContext>>,
    credentials: Arc<Credentials>,
    name: [u8; NAME_BYTES],
    signal_stack: SignalStack,
    last_fault: LastFault,
    /// Who waits until this task, a `vfork` child, has let go of the memory it borrowed.
    lender: Option<Arc<Process>>,
    /// How its thread begins, until it has begun.
    start: Option<Box<Start>>,
}

/// The processor exception that a task caused last, for the frames of its handlers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LastFault {
    /// Which exception.
    pub vector: u64,
    /// What the processor said of it.
    pub error_code: u64,
    /// The address that could not be used.
    pub address: u64,
}

/// Tasks, until nobody knows them any more.
pub static LIVING: Census = Census::new("tasks");

/// One thread of a program.
pub struct Task {
    _counted: Counted,
    id: Published<i32>,
    process: Arc<Process>,
    thread: Once<Weak<Thread>>,
    own: SpinLock<Own, order::ThreadPayload>,
    started_ns: u64,
    /// Where a zero is written, and waited for, when the task ends (0: nowhere).
    pub clear_child: Published<u64>,
    /// Head of the list of robust futexes in the program's memory (0: none).
    pub robust_list: Published<u64>,
    /// The signal to send this task when its parent ends (0: none).
    pub death_signal: Published<u32>,
    /// Whether its children start with the usual share of the CPUs (`SCHED_RESET_ON_FORK`).
    pub reset_on_fork: Flag,
    /// The number of the call it made last, for reports.
    pub last_call: Counter,
    /// For reports: the children that it waits for, the number of the first, and how many they are times 2^32. Zero: it waits for none.
    pub awaited: Counter,
    /// The thread as futexes see it.
    pub futexes: Arc<Owner>,
    /// What it registered with `rseq`.
    pub sequences: Sequences,
    /// What an interrupted call goes on with.
    pub restart: SpinLock<Option<Restart>, order::ThreadPayload>,
}

/// What a new task starts with.
pub struct Inheritance {
    /// Its descriptors.
    pub files: Arc<FileTable>,
    /// Its places.
    pub file_system: Arc<FileSystemContext>,
    /// Its rights.
    pub credentials: Arc<Credentials>,
    /// Its name.
    pub name: [u8; NAME_BYTES],
    /// Its signal stack.
    pub signal_stack: SignalStack,
    /// Who waits for it to let go of the memory.
    pub lender: Option<Arc<Process>>,
}

impl Task {
    /// A task that has no thread yet.
    pub fn new(id: i32, process: Arc<Process>, from: Inheritance) -> Arc<Self> {
        let own = Own {
            files: Some(from.files),
            file_system: Some(from.file_system),
            credentials: from.credentials,
            name: from.name,
            signal_stack: from.signal_stack,
            last_fault: LastFault::default(),
            lender: from.lender,
            start: None,
        };
        Arc::new(Self {
            _counted: LIVING.count(),
            id: Published::<i32>::new(id),
            process,
            thread: Once::new(),
            own: SpinLock::new(own),
            started_ns: clock::now(),
            clear_child: Published::<u64>::new(0),
            robust_list: Published::<u64>::new(0),
            death_signal: Published::<u32>::new(0),
            reset_on_fork: Flag::new(false),
            last_call: Counter::new(u64::MAX),
            awaited: Counter::new(0),
            futexes: Owner::new(id),
            sequences: Sequences::new(),
            restart: SpinLock::new(None),
        })
    }

    /// Its number, as `gettid` says.
    pub fn id(&self) -> i32 {
        self.id.load()
    }

    /// Takes the process's own number: the first thread is gone and this one changed the program.
    pub(super) fn become_first(&self) {
        self.id.store(self.process.id());
        self.futexes.renumber(self.process.id());
    }

    /// The process it runs in.
    pub fn process(&self) -> &Arc<Process> {
        &self.process
    }

    /// When it was made.
    pub fn started_ns(&self) -> u64 {
        self.started_ns
    }

    /// Names the thread; done once, before it runs.
    pub fn attach(&self, thread: &Arc<Thread>) {
        assert!(self.thread.set(Arc::downgrade(thread)).is_ok(), "a task has two threads");
        self.futexes.attach(thread);
    }

    /// The thread, while it lives.
    pub fn thread(&self) -> Option<Arc<Thread>> {
        self.thread.get().and_then(Weak::upgrade)
    }

    /// The thread shall look at its signals before it goes back to its program.
    pub fn must_look(&self) {
        if let Some(thread) = self.thread() {
            thread.set_attention();
        }
    }

    /// The same, and a sleep that may be interrupted ends.
    pub fn interrupt(&self) {
        if let Some(thread) = self.thread() {
            thread.set_attention();
            thread.interrupt();
        }
    }

    /// Its descriptors. For the task's own thread, which has them until it ends.
    pub fn files(&self, cx: &TaskContext) -> Arc<FileTable> {
        let Some(files) = self.open_files(cx) else {
            panic!("task {} asked for its descriptors after its end", self.id());
        };
        files
    }

    /// Its descriptors, unless it has ended.
    pub fn open_files(&self, cx: &TaskContext) -> Option<Arc<FileTable>> {
        self.own.lock(cx).files.clone()
    }

    /// Gives it another table of descriptors, or none; answers the old one, to be let go of outside the lock.
    pub fn replace_files(&self, cx: &TaskContext, files: Option<Arc<FileTable>>) -> Option<Arc<FileTable>> {
        core::mem::replace(&mut self.own.lock(cx).files, files)
    }

    /// Root, working directory and umask. For the task's own thread, which has them until it ends.
    pub fn file_system(&self, cx: &TaskContext) -> Arc<FileSystemContext> {
        let Some(context) = self.working_context(cx) else {
            panic!("task {} asked for its directory after its end", self.id());
        };
        context
    }

    /// Root, working directory and umask, unless it has ended.
    pub fn working_context(&self, cx: &TaskContext) -> Option<Arc<FileSystemContext>> {
        self.own.lock(cx).file_system.clone()
    }

    /// Gives it other places, or none; answers the old ones, to be let go of outside the lock.
    pub fn replace_file_system(&self, cx: &TaskContext, context: Option<Arc<FileSystemContext>>) -> Option<Arc<FileSystemContext>> {
        core::mem::replace(&mut self.own.lock(cx).file_system, context)
    }

    /// With whose rights it acts.
    pub fn credentials(&self, cx: &TaskContext) -> Arc<Credentials> {
        self.own.lock(cx).credentials.clone()
    }

    /// Gives it other rights, and moves the count of its user's tasks along.
    pub fn set_credentials(&self, cx: &mut TaskContext, credentials: Arc<Credentials>) {
        let user = credentials.uid;
        let old = core::mem::replace(&mut self.own.lock(cx).credentials, credentials.clone());
        let before = self.process.set_credentials(cx, credentials);
        drop((old, before));
        table::TREE.lock(cx).charge(self.id(), user);
    }

    /// Its name, at most 15 bytes, with zeros behind.
    pub fn name_bytes(&self, cx: &TaskContext) -> [u8; NAME_BYTES] {
        self.own.lock(cx).name
    }

    /// Its name as text.
    pub fn name(&self, cx: &TaskContext) -> String {
        name_text(&self.name_bytes(cx))
    }

    /// Sets its name; what is longer than 15 bytes is cut.
    pub fn set_name(&self, cx: &TaskContext, name: &[u8]) {
        let name = cut_name(name);
        self.own.lock(cx).name = name;
        if self.id() == self.process.id() {
            self.process.set_name(cx, name);
        }
    }

    /// Where its handlers run that ask for a stack of their own.
    pub fn signal_stack(&self, cx: &TaskContext) -> SignalStack {
        self.own.lock(cx).signal_stack
    }

    /// Sets that.
    pub fn set_signal_stack(&self, cx: &TaskContext, stack: SignalStack) {
        self.own.lock(cx).signal_stack = stack;
    }

    /// The exception that it caused last.
    pub fn last_fault(&self, cx: &TaskContext) -> LastFault {
        self.own.lock(cx).last_fault
    }

    /// It caused this one now.
    pub fn set_last_fault(&self, cx: &TaskContext, fault: LastFault) {
        self.own.lock(cx).last_fault = fault;
    }

    /// Who waits for this task to let go of the memory it borrowed, asked once.
    pub(super) fn take_lender(&self, cx: &TaskContext) -> Option<Arc<Process>> {
        self.own.lock(cx).lender.take()
    }

    /// How its thread shall begin.
    pub(super) fn set_start(&self, cx: &TaskContext, start: Box<Start>) {
        self.own.lock(cx).start = Some(start);
    }

    /// How the thread begins, asked once.
    pub(super) fn take_start(&self, cx: &TaskContext) -> Option<Box<Start>> {
        self.own.lock(cx).start.take()
    }

    /// Whether somebody still waits for this task to let go of the memory it borrowed.
    pub(super) fn borrows(&self, cx: &TaskContext) -> bool {
        self.own.lock(cx).lender.is_some()
    }

    /// What it has used so far.
    pub fn usage(&self) -> Usage {
        let Some(thread) = self.thread() else {
            return Usage::default();
        };
        let times = thread.times();
        let (voluntary_switches, involuntary_switches) = thread.switches();
        Usage {
            spent: Spent { user_ns: times.user_ns, system_ns: times.system_ns },
            voluntary_switches,
            involuntary_switches,
            faults: thread.page_faults(),
            most_pages: 0,
        }
    }

    /// Its processor time.
    pub fn times(&self) -> Spent {
        self.usage().spent
    }
}

/// At most 15 bytes of a name, up to its end mark, filled up with zeros.
pub fn cut_name(name: &[u8]) -> [u8; NAME_BYTES] {
    let mut cut = [0; NAME_BYTES];
    let bytes = name.iter().copied().take_while(|byte| *byte != 0).take(NAME_BYTES - 1);
    for (place, byte) in cut.iter_mut().zip(bytes) {
        *place = byte;
    }
    cut
}

/// A name as text; what is not UTF-8 is shown as such.
pub fn name_text(name: &[u8]) -> String {
    let length = name.iter().position(|byte| *byte == 0).unwrap_or(name.len());
    String::from_utf8_lossy(name.get(..length).unwrap_or_default()).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_cut_to_fifteen_bytes_and_ends_at_its_mark() {
        assert_eq!(name_text(&cut_name(b"a-name-of-twenty-one-bytes")), "a-name-of-twent");
        assert_eq!(name_text(&cut_name(b"sh\0rest")), "sh");
    }
}
