//! The signal state of a process: its threads, what waits for each and for all, whether it stops or ends.
//!
//! Invariant: all of it lies under one lock. A thread is in `members` from before it first runs until it has left for good, so
//! whoever holds the lock may interrupt any member. Once `ending` is set it stays, and every member leaves at its next return.

use alloc::collections::BTreeMap;
use alloc::sync::Arc;

use abi::signal::{SIGKILL, SignalInfo};

use super::pending::Pending;
use super::program_timer::ProgramTimers;
use super::set::SignalSet;
use crate::process::status::ExitStatus;
use crate::process::task::Task;
use crate::process::times::{Spent, Usage};

/// One thread as signals see it.
pub struct Member {
    /// The thread.
    pub task: Arc<Task>,
    /// What it holds back.
    pub mask: SignalSet,
    /// The mask to go back to when no handler took the signal that ended a `sigsuspend`.
    pub saved_mask: Option<SignalSet>,
    /// Held back, but waited for in `sigtimedwait`.
    pub awaited: SignalSet,
    /// What waits for this thread alone.
    pub pending: Pending,
    /// Set by exit: it leaves with this code.
    pub leaving: Option<u8>,
    /// It has reached the place where a stopped thread waits.
    pub stopped: bool,
}

impl Member {
    /// A thread that is about to start.
    pub fn new(task: Arc<Task>, mask: SignalSet) -> Self {
        Self { task, mask, saved_mask: None, awaited: SignalSet::EMPTY, pending: Pending::new(), leaving: None, stopped: false }
    }

    /// Whether a signal would make the thread do something.
    fn takes(&self, signal: u32) -> bool {
        self.leaving.is_none() && (!self.mask.contains(signal) || self.awaited.contains(signal))
    }
}

/// What a thread has to do before it goes back to its program.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// Leave: the process ends, a sibling changes the program, or it called exit.
    Leave,
    /// Wait until the process goes on.
    Stop,
    /// Tell the parent that the process goes on.
    ReportContinued,
    /// Do what the signal's action says.
    Deliver(SignalInfo),
    /// Go.
    Nothing,
}

/// The state. See the file's invariant.
pub struct SignalState {
    /// The threads, by number.
    pub members: BTreeMap<i32, Member>,
    /// What waits for whichever thread takes it first.
    pub shared: Pending,
    /// Set once the whole process ends, and how.
    pub ending: Option<ExitStatus>,
    /// The thread that stays while the others leave, when it changes the program.
    pub sole: Option<i32>,
    /// The signal that stops the process, while it is stopped or stopping.
    pub stopping: Option<u32>,
    /// All threads have stopped and the parent was told.
    pub stop_complete: bool,
    /// A stopping signal was taken and has not taken effect; a continue signal in between clears it.
    pub stop_taken: bool,
    /// The process was continued; the first thread to run tells the parent.
    pub continued: bool,
    /// The code that the first thread left with.
    pub first_code: Option<u8>,
    /// The timers of `timer_create`.
    pub timers: ProgramTimers,
    /// What the threads used that have left.
    ended: Usage,
}

impl Default for SignalState {
    fn default() -> Self {
        Self::new()
    }
}

impl SignalState {
    /// No threads, nothing waits.
    pub const fn new() -> Self {
        Self {
            members: BTreeMap::new(),
            shared: Pending::new(),
            ending: None,
            sole: None,
            stopping: None,
            stop_complete: false,
            stop_taken: false,
            continued: false,
            first_code: None,
            timers: ProgramTimers::new(),
            ended: Usage {
                spent: Spent { user_ns: 0, system_ns: 0 },
                voluntary_switches: 0,
                involuntary_switches: 0,
                faults: 0,
                most_pages: 0,
            },
        }
    }

    /// Takes a thread off the list; what it used stays counted. The answer is to be dropped unlocked.
    pub fn remove(&mut self, id: i32) -> Option<Member> {
        let member = self.members.remove(&id)?;
        self.ended = self.ended.plus(member.task.usage());
        Some(member)
    }

    /// What all threads used, those too that have left.
    pub fn usage(&self) -> Usage {
        self.members.values().fold(self.ended, |sum, member| sum.plus(member.task.usage()))
    }

    /// What thread `id` has to do next; a signal it must deliver is taken.
    pub fn next_step(&mut self, id: i32) -> Step {
        let (ending, sole, stopping) = (self.ending, self.sole, self.stopping);
        let Some(member) = self.members.get_mut(&id) else {
            return Step::Leave;
        };
        if ending.is_some() || member.leaving.is_some() || sole.is_some_and(|sole| sole != id) {
            return Step::Leave;
        }
        let kill = SignalSet::single(SIGKILL);
        if let Some(information) = member.pending.take(kill).or_else(|| self.shared.take(kill)) {
            return Step::Deliver(information);
        }
        if stopping.is_some() {
            return Step::Stop;
        }
        if core::mem::take(&mut self.continued) {
            return Step::ReportContinued;
        }
        let wanted = SignalSet::from_bits(!member.mask.bits());
        let Some(mut information) = member.pending.take(wanted).or_else(|| self.shared.take(wanted)) else {
            return Step::Nothing;
        };
        self.timer_signal_taken(&mut information);
        if SignalSet::STOPPING.contains(information.signal.cast_unsigned()) {
            self.stop_taken = true;
        }
        Step::Deliver(information)
    }

    /// Takes one of `wanted` for thread `id`, held back or not (`sigtimedwait`).
    pub fn take(&mut self, id: i32, wanted: SignalSet) -> Option<SignalInfo> {
        let member = self.members.get_mut(&id)?;
        let mut information = member.pending.take(wanted).or_else(|| self.shared.take(wanted))?;
        self.timer_signal_taken(&mut information);
        Some(information)
    }

    /// Whether thread `id` has something to do before it goes back.
    pub fn must_look(&self, id: i32) -> bool {
        let Some(member) = self.members.get(&id) else {
            return true;
        };
        self.must_leave(id)
            || self.stopping.is_some()
            || self.continued
            || !member.pending.set().union(self.shared.set()).minus(member.mask).is_empty()
    }

    /// Whether thread `id` is to leave, or a kill waits for it: what ends even a wait that no other signal ends.
    pub fn must_leave(&self, id: i32) -> bool {
        let Some(member) = self.members.get(&id) else {
            return true;
        };
        self.ending.is_some()
            || member.leaving.is_some()
            || self.sole.is_some_and(|sole| sole != id)
            || member.pending.set().contains(SIGKILL)
            || self.shared.set().contains(SIGKILL)
    }

    /// Sets a thread's mask; others look at what it holds back from now on. Answers the old mask.
    pub fn set_mask(&mut self, id: i32, mask: SignalSet) -> SignalSet {
        let Some(member) = self.members.get_mut(&id) else {
            return SignalSet::EMPTY;
        };
        let old = core::mem::replace(&mut member.mask, mask.blockable());
        let held_now = member.mask.minus(old).intersection(self.shared.set());
        if !held_now.is_empty() {
            self.retarget(held_now);
        }
        if self.must_look(id)
            && let Some(member) = self.members.get(&id)
        {
            member.task.must_look();
        }
        old
    }

    /// Lets the threads that take any of these signals look.
    pub fn retarget(&self, signals: SignalSet) {
        for member in self.members.values() {
            if !signals.minus(member.mask).is_empty() {
                member.task.interrupt();
            }
        }
    }

    /// The thread that shall take a signal sent to the whole process: the first one if it does, else any that does.
    pub fn choose(&self, signal: u32) -> Option<&Member> {
        self.members.values().find(|member| member.takes(signal))
    }

    /// Whether a signal whose default ends the process is taken at once, so that nobody goes on who sees it sent
    /// (`complete_signal` in Linux): a thread takes it, and does not stand still.
    pub fn is_taken_at_once(&self, target: Option<i32>, signal: u32) -> bool {
        let taker = match target {
            Some(id) => self.members.get(&id),
            None => self.choose(signal),
        };
        taker.is_some_and(|member| !member.mask.contains(signal)) && (signal == SIGKILL || self.stopping.is_none())
    }

    /// Whether a signal for the process (or for one thread) is held back by who would take it.
    pub fn is_held_back(&self, target: Option<i32>, signal: u32) -> bool {
        let member = match target {
            Some(id) => self.members.get(&id),
            None => self.members.values().next(),
        };
        member.is_some_and(|member| member.mask.contains(signal))
    }

    /// Every thread looks at once: the process ends or stops, or a sibling changes the program.
    pub fn interrupt_all_but(&self, id: i32) {
        for (_, member) in self.members.iter().filter(|(number, _)| **number != id) {
            member.task.interrupt();
        }
    }

    /// Begins the end of the whole process, unless it has begun.
    pub fn end(&mut self, status: ExitStatus) {
        if self.ending.is_none() {
            self.ending = Some(status);
            self.interrupt_all_but(0);
        }
    }

    /// Forgets signals for the process and for every thread.
    pub fn forget(&mut self, signals: SignalSet) {
        self.shared.forget(signals);
        for member in self.members.values_mut() {
            member.pending.forget(signals);
        }
        if self.ending.is_none() {
            self.timer_signals_forgotten(signals);
        }
    }

    /// A continue signal has come: whoever stopped goes on.
    pub fn resume(&mut self) {
        self.forget(SignalSet::STOPPING);
        self.stop_taken = false;
        if self.stopping.take().is_none() {
            return;
        }
        self.continued = core::mem::take(&mut self.stop_complete);
        for member in self.members.values_mut() {
            member.stopped = false;
        }
    }

    /// Thread `id` has stopped. Was it the last one?
    pub fn mark_stopped(&mut self, id: i32) -> Option<u32> {
        if let Some(member) = self.members.get_mut(&id) {
            member.stopped = true;
        }
        self.completed_stop()
    }

    /// The stopping signal, at the one moment when no thread is left that has not stopped.
    pub fn completed_stop(&mut self) -> Option<u32> {
        let signal = self.stopping?;
        let all = !self.members.is_empty() && self.members.values().all(|member| member.stopped);
        if !all || self.stop_complete {
            return None;
        }
        self.stop_complete = true;
        Some(signal)
    }
}
