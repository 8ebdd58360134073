//! What becomes of a donation in a run queue: redeemed by the next switch, withdrawn, or stolen.
//!
//! Invariant: a donee is not a member of the queue until it runs or waits like any other; if it comes in the place of one
//! that counts as much, the sums over the members stay what they are.

use super::{Afterwards, Choice, Departure, RunQueue};
use crate::thread::thread::Seat;
use crate::thread::{Policy, Thread};
use alloc::sync::Arc;
use sync::CpuId;
use sync::twin::{self, Twin};

impl RunQueue {
    /// A thread that was nowhere waits here for the next switch, to be preferred by it. False: it is still nowhere, and
    /// must be queued as any other; donation never helps anyone before a real-time thread, nor an idle CPU's first.
    pub(crate) fn donate(&mut self, thread: &Arc<Thread>, now: u64) -> bool {
        if self.current.is_none() || thread.standing.wanted().policy != Policy::Fair {
            return false;
        }
        self.withdraw_donation(now);
        thread.set_seat(Seat::Queued);
        self.donation.offer(Arc::clone(thread));
        true
    }

    /// Who was to be preferred waits like any other.
    pub(super) fn withdraw_donation(&mut self, now: u64) {
        if let Some(thread) = self.donation.take()
            && !twin::is(Twin::DonationForgotten)
        {
            self.charge(now);
            let scheduling = self.count_in(&thread);
            self.put(thread, scheduling, false);
        }
    }

    /// The next switch comes: who is preferred by it? Nobody for whom others would have to wait too long.
    pub(super) fn redeem_donation(&mut self, departure: Departure, now: u64) -> Option<Arc<Thread>> {
        if departure == Departure::Preempted || self.real_time.waiting() != 0 || now >= self.chain_ends {
            self.withdraw_donation(now);
        }
        self.donation.take()
    }

    /// The one that runs goes, and the donee comes in its place: with its right, what is left of its slice and what it has
    /// run since it was last charged. For two that count alike; else nobody comes so.
    pub(super) fn succeed(&mut self, departure: Departure, donee: Option<&Arc<Thread>>) -> Option<Choice> {
        let donee = donee?;
        let afterwards = match departure {
            Departure::Asleep => Afterwards::Asleep,
            Departure::Dead => Afterwards::Bury,
            Departure::Yielding | Departure::Preempted => return None,
        };
        let counted = donee.standing.effective();
        let leaving = self.current.take_if(|current| !counted.policy.is_real_time() && current.standing.counted() == counted)?;
        self.fair.succeed(&leaving, donee);
        self.turn_is_over = false;
        self.seat(donee);
        Some(Choice::Change { leaving: Some(leaving), next: Some(Arc::clone(donee)), afterwards })
    }

    /// As `steal`; and if it finds nobody else, the one that the next switch prefers: the donor has had its time.
    pub(crate) fn steal_donee_too(&mut self, thief: CpuId) -> Option<Arc<Thread>> {
        self.steal(thief).or_else(|| {
            let donee = self.donation.take_that(|thread| thread.affinity().contains(thief))?;
            Some(Self::let_go(donee))
        })
    }
}
