//! Who waits for one CPU, who runs on it, and who has the better right.
//!
//! Invariant: a thread is in at most one queue of one CPU; those in it have the seat `Queued`, the one in `current`
//! has the seat `Running`. Everything here happens under the queue's lock, and nothing needs memory.

use super::donate::{CHAIN_NS, Donation, PATIENCE_NS};
use super::fair::Fair;
use super::real_time::{RealTime, TURN_NS};
use super::throttle::Throttle;
use crate::thread::thread::Seat;
use crate::thread::{Policy, Scheduling, Thread};
use alloc::sync::Arc;
use sync::{CpuId, chaos};

/// The least time between two changes because of a used-up slice.
const SHORTEST_SLICE_NS: u64 = 200_000;

/// Why a thread leaves its CPU.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Departure {
    /// It has announced its sleep.
    Asleep,
    Dead,
    /// It lets others go first.
    Yielding,
    /// Someone may have a better right; it would go on.
    Preempted,
}

/// What the CPU must be told after a change of its queue.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Reaction {
    Nothing,
    /// The one that runs has company now: its slice must be timed.
    TimeSlice,
    /// Someone has a better right to run than the one that does.
    Reschedule,
}

/// What `choose` says.
pub(crate) enum Choice {
    /// The one that runs goes on.
    Stay,
    Change {
        /// `None` when the idle thread leaves.
        leaving: Option<Arc<Thread>>,
        /// `None` for the idle thread.
        next: Option<Arc<Thread>>,
        /// What to do with the one that leaves, once its context is saved.
        afterwards: Afterwards,
    },
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Afterwards {
    /// It is still counted here: put it back, first or last among its equals.
    PutBack {
        first: bool,
    },
    /// It may not run here any more: find it a CPU.
    FindCpu,
    /// Nobody's, unless it was woken meanwhile.
    Asleep,
    Bury,
}

pub(crate) struct RunQueue {
    real_time: RealTime,
    throttle: Throttle,
    fair: Fair,
    donation: Donation,
    current: Option<Arc<Thread>>,
    charged_at: u64,
    turn_is_over: bool,
    slice_is_timed: bool,
    /// Until when the CPU may be handed on by donation, since it was last given to the one with the best right.
    chain_ends: u64,
}

impl RunQueue {
    pub(crate) const fn new() -> Self {
        RunQueue {
            real_time: RealTime::new(),
            throttle: Throttle::new(),
            fair: Fair::new(),
            donation: Donation::NONE,
            current: None,
            charged_at: 0,
            turn_is_over: false,
            slice_is_timed: false,
            chain_ends: 0,
        }
    }

    pub(crate) const fn waiting(&self) -> usize {
        self.real_time.waiting() + self.fair.waiting() + self.donation.waiting()
    }

    /// Those in the queue, found one by one.
    pub(crate) fn all_waiting(&self) -> impl Iterator<Item = &Thread> {
        self.real_time.all_waiting().chain(self.fair.all_waiting()).chain(self.donation.get())
    }

    pub(crate) const fn is_idle(&self) -> bool {
        self.current.is_none()
    }

    pub(crate) fn is_current(&self, thread: &Thread) -> bool {
        self.current.as_ref().is_some_and(|current| current.id() == thread.id())
    }

    /// A thread that was nowhere waits here from now on.
    pub(crate) fn enqueue(&mut self, thread: Arc<Thread>, now: u64) -> Reaction {
        self.charge(now);
        let scheduling = self.count_in(&thread);
        thread.set_seat(Seat::Queued);
        let reaction = self.reaction_to(&thread, scheduling);
        self.put(thread, scheduling, false);
        self.confirm(reaction)
    }

    fn seat(&mut self, next: &Arc<Thread>) {
        next.set_seat(Seat::Running);
        self.current = Some(Arc::clone(next));
    }

    /// A thread that left this CPU without ceasing to be counted here waits again.
    pub(crate) fn put_back(&mut self, thread: Arc<Thread>, first: bool) {
        let mut scheduling = thread.standing.counted();
        if scheduling != thread.standing.effective() {
            self.count_out(&thread);
            scheduling = self.count_in(&thread);
        }
        thread.set_seat(Seat::Queued);
        self.put(thread, scheduling, first);
    }

    fn put(&mut self, thread: Arc<Thread>, scheduling: Scheduling, first: bool) {
        if scheduling.policy.is_real_time() { self.real_time.put(thread, first) } else { self.fair.put(thread) }
    }

    /// Counts a thread as what it is now to be.
    fn count_in(&mut self, thread: &Thread) -> Scheduling {
        thread.standing.count_as_effective();
        let scheduling = thread.standing.counted();
        if scheduling.policy.is_real_time() {
            thread.standing.set_slice_left(TURN_NS);
        } else {
            self.fair.join(thread);
        }
        scheduling
    }

    pub(crate) fn count_out(&mut self, thread: &Thread) {
        if !thread.standing.counted().policy.is_real_time() {
            self.fair.quit(thread);
        }
    }

    /// Would a newcomer of this kind change what the CPU does? Asked before it is put.
    fn reaction_to(&self, thread: &Thread, scheduling: Scheduling) -> Reaction {
        let Some(current) = &self.current else { return Reaction::Reschedule };
        let running = current.standing.counted();
        match (scheduling.policy.is_real_time(), running.policy.is_real_time()) {
            (true, true) if scheduling.priority > running.priority => Reaction::Reschedule,
            (true, true) if scheduling.priority == running.priority && running.policy == Policy::RoundRobin => Reaction::TimeSlice,
            (true, true) => Reaction::Nothing,
            (false, true) => Reaction::TimeSlice,
            (true, false) if self.throttle.is_exhausted() => Reaction::TimeSlice,
            (true, false) => Reaction::Reschedule,
            (false, false) => {
                let sooner = thread.standing.virtual_deadline() < current.standing.virtual_deadline();
                let pushes = !matches!(scheduling.policy, Policy::Batch | Policy::Idle);
                let beats = self.fair.is_eligible(thread) && (sooner || !self.fair.is_eligible(current));
                if beats && pushes || running.policy == Policy::Idle && scheduling.policy != Policy::Idle {
                    Reaction::Reschedule
                } else {
                    Reaction::TimeSlice
                }
            }
        }
    }

    fn confirm(&mut self, reaction: Reaction) -> Reaction {
        if reaction == Reaction::TimeSlice && core::mem::replace(&mut self.slice_is_timed, true) {
            return Reaction::Nothing;
        }
        reaction
    }

    /// Takes a waiting thread out of the queue; it is nowhere then.
    pub(crate) fn dequeue(&mut self, thread: &Thread) -> Option<Arc<Thread>> {
        if let Some(donee) = self.donation.take_that(|other| other.id() == thread.id()) {
            return Some(Self::let_go(donee));
        }
        let is_real_time = thread.standing.counted().policy.is_real_time();
        let removed = if is_real_time { self.real_time.remove(thread)? } else { self.fair.remove(thread)? };
        Some(self.taken_out(removed))
    }

    /// Takes one that may run on `thief`, and that would wait here longest; it is nowhere then.
    pub(crate) fn steal(&mut self, thief: CpuId) -> Option<Arc<Thread>> {
        let suits = |thread: &Thread| thread.affinity().contains(thief);
        let stolen = self.real_time.take_that(suits).or_else(|| self.fair.take_last(suits))?;
        Some(self.taken_out(stolen))
    }

    fn taken_out(&mut self, thread: Arc<Thread>) -> Arc<Thread> {
        self.count_out(&thread);
        Self::let_go(thread)
    }

    fn let_go(thread: Arc<Thread>) -> Arc<Thread> {
        thread.set_seat(Seat::Nowhere);
        thread
    }

    /// Charges the one that runs with the time since it was charged last.
    pub(crate) fn charge(&mut self, now: u64) {
        let passed = now.saturating_sub(self.charged_at);
        self.charged_at += passed;
        let policy = self.current.as_ref().map(|current| current.standing.counted().policy);
        self.throttle.charge(now, passed, policy.is_some_and(Policy::is_real_time));
        let Some(current) = &self.current else { return };
        match current.standing.counted().policy {
            Policy::Fifo => {}
            Policy::RoundRobin => {
                let left = current.standing.slice_left().saturating_sub(passed);
                self.turn_is_over |= left == 0;
                current.standing.set_slice_left(if left == 0 { TURN_NS } else { left });
            }
            _ => {
                self.fair.charge(current, passed);
            }
        }
    }

    /// The current thread takes over what it is now wanted to be. Must the CPU reschedule?
    pub(crate) fn reconsider_current(&mut self, now: u64) -> Reaction {
        self.charge(now);
        if let Some(current) = self.current.take() {
            self.count_out(&current);
            self.count_in(&current);
            self.current = Some(current);
        }
        Reaction::Reschedule
    }

    /// Has someone who waits a better right than the one that runs?
    pub(crate) fn should_change(&mut self, here: CpuId, now: u64) -> bool {
        self.charge(now);
        self.withdraw_donation(now);
        match &self.current {
            None => self.waiting() != 0,
            Some(current) => {
                let current = Arc::clone(current);
                !current.affinity().contains(here) || self.someone_beats(&current, false)
            }
        }
    }

    /// Have real-time threads had all that they may have while others wait?
    const fn others_go_first(&self) -> bool {
        self.throttle.is_exhausted() && self.fair.waiting() != 0
    }

    fn someone_beats(&mut self, current: &Thread, yielding: bool) -> bool {
        let running = current.standing.counted();
        match (self.real_time.highest(), running.policy.is_real_time()) {
            (Some(highest), true) => {
                let equal_goes_first = yielding || self.turn_is_over;
                highest > running.priority || highest == running.priority && equal_goes_first || self.others_go_first()
            }
            (Some(_), false) if !self.throttle.is_exhausted() => true,
            (None, true) => self.others_go_first(),
            (_, false) => self.fair.beats(current),
        }
    }

    /// Who runs next. The one that leaves keeps its seat until its context is saved.
    pub(crate) fn choose(&mut self, departure: Departure, here: CpuId, now: u64) -> Choice {
        self.slice_is_timed = false;
        let departure = if departure == Departure::Preempted && chaos::one_in(2) { Departure::Yielding } else { departure };
        let donee = self.redeem_donation(departure, now);
        if let Some(change) = self.succeed(departure, donee.as_ref()) {
            return change;
        }
        self.charge(now);
        let Some(current) = self.current.take() else {
            return match self.take_next(donee, now) {
                None => Choice::Stay,
                next => Choice::Change { leaving: None, next, afterwards: Afterwards::Asleep },
            };
        };
        let parts = self.part_from(&current, departure, here);
        let Some(afterwards) = parts.or(donee.is_some().then_some(Afterwards::PutBack { first: false })) else {
            self.current = Some(current);
            return Choice::Stay;
        };
        self.turn_is_over = false;
        let next = self.take_next(donee, now);
        Choice::Change { leaving: Some(current), next, afterwards }
    }

    /// What becomes of the current thread; `None` when it goes on.
    fn part_from(&mut self, current: &Thread, departure: Departure, here: CpuId) -> Option<Afterwards> {
        let yielding = departure == Departure::Yielding;
        let gone = match departure {
            Departure::Asleep => Some(Afterwards::Asleep),
            Departure::Dead => Some(Afterwards::Bury),
            _ if !current.affinity().contains(here) => Some(Afterwards::FindCpu),
            _ => None,
        };
        if gone.is_some() {
            self.count_out(current);
            return gone;
        }
        if yielding && self.fair.waiting() != 0 && !current.standing.counted().policy.is_real_time() {
            self.fair.forfeit(current);
        }
        let first = !yielding && !self.turn_is_over;
        self.someone_beats(current, yielding).then_some(Afterwards::PutBack { first })
    }

    fn take_next(&mut self, donee: Option<Arc<Thread>>, now: u64) -> Option<Arc<Thread>> {
        let next = if let Some(donee) = donee {
            self.count_in(&donee);
            Some(donee)
        } else {
            self.chain_ends = now + CHAIN_NS;
            let fair = if self.others_go_first() { self.fair.take() } else { None };
            fair.or_else(|| self.real_time.take()).or_else(|| self.fair.take())
        };
        next.iter().for_each(|next| self.seat(next));
        next
    }

    /// When the slice of the one that runs ends, if it matters to anyone.
    pub(crate) fn slice_end(&mut self, now: u64) -> Option<u64> {
        let current = self.current.as_ref()?;
        let running = current.standing.counted();
        let are_others = self.fair.waiting() != 0;
        let uncharged = now.saturating_sub(self.charged_at);
        let (turn, throttle) = if running.policy.is_real_time() {
            let equals_wait = self.real_time.highest() == Some(running.priority);
            let turn = (running.policy == Policy::RoundRobin && equals_wait).then(|| current.standing.slice_left());
            (turn, are_others.then(|| self.throttle.left()))
        } else {
            let real_time_waits = self.real_time.waiting() != 0;
            (
                are_others.then(|| self.fair.slice_left(current).saturating_sub(uncharged)),
                real_time_waits.then(|| self.throttle.until_next(now)),
            )
        };
        let left = turn.into_iter().chain(throttle).min().map(|left| left.max(SHORTEST_SLICE_NS));
        let left = if self.donation.waiting() == 0 { left } else { Some(left.unwrap_or(PATIENCE_NS).min(PATIENCE_NS)) };
        self.slice_is_timed = left.is_some();
        Some(now + left?)
    }
}

#[path = "succeed.rs"]
mod succeed;

#[cfg(test)]
#[path = "run_queue_tests.rs"]
mod tests;

#[cfg(test)]
#[path = "donate_tests.rs"]
mod donate_tests;
