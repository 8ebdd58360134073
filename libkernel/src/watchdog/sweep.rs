//! Every thread is in exactly one place: running, queued, or asleep. Looked after in debug kernels.
//!
//! Invariant: a thread on its way (in somebody's hands, or just being switched away from) is in none for a moment. So a thread
//! is told of only when look after look finds it in the same wrong place and it has not run in between.

use crate::clock;
use crate::sched::audit::{self, Fault};
use crate::thread::list;
use alloc::collections::BTreeMap;
use sync::TaskContext;

/// So many looks in a row.
const LOOKS: u32 = 15;
/// Looks further apart than this prove nothing: the host stood still.
const LATE_NS: u64 = 3_000_000_000;

/// What was wrong at the last look: by thread, with how often it had run, and for how many looks.
pub(super) struct Suspects {
    looked_at: u64,
    by_thread: BTreeMap<u64, (Fault, u64, u32)>,
}

impl Suspects {
    pub(super) const fn new() -> Self {
        Suspects { looked_at: 0, by_thread: BTreeMap::new() }
    }

    /// Looks at every queue and every thread.
    pub(super) fn look(&mut self, _: &TaskContext) {
        if let Some(broken) = audit::broken_queue() {
            panic!("a run queue is not what it says: {broken:?}");
        }
        let now = clock::now();
        let late = now.saturating_sub(self.looked_at) > LATE_NS;
        self.looked_at = now;
        let before = core::mem::take(&mut self.by_thread);
        for thread in list::all() {
            let Some(fault) = audit::fault_of(&thread) else { continue };
            let (voluntary, involuntary) = thread.switches();
            let runs = voluntary + involuntary;
            let looks = match before.get(&thread.id()) {
                Some(&(old, same_runs, looks)) if !late && old == fault && same_runs == runs => looks + 1,
                _ => 1,
            };
            assert!(looks < LOOKS, "thread {} ({}) is lost: {fault:?} for {looks} looks", thread.id(), thread.name());
            self.by_thread.insert(thread.id(), (fault, runs, looks));
        }
    }
}
