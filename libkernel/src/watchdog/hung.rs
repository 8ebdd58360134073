//! Waits that last too long: told once in the log, and listed as long as they last.
//!
//! Invariant: the log hears of waits that only the kernel itself could end, and of circles. An idle shell waits for its terminal for
//! days: waits that an interruption ends, or that may take as long as they like, are only listed.

use super::chain;
use super::waits::{self, Waiting};
use crate::clock;
use crate::warn;
use alloc::collections::BTreeSet;
use alloc::string::String;
use alloc::vec::Vec;
use sync::{Counter, TaskContext};

/// How long a wait may last, unless the command line says otherwise.
pub const DEFAULT_LIMIT_SECONDS: u64 = 10;
const NANOSECONDS: u64 = 1_000_000_000;

/// In nanoseconds; zero for no limit.
static LIMIT: Counter = Counter::new(DEFAULT_LIMIT_SECONDS * NANOSECONDS);

/// How long a wait may last from now on; zero for no limit.
pub(super) fn set_limit(seconds: u64) {
    LIMIT.set(seconds.saturating_mul(NANOSECONDS));
}

/// Waits that were told of, by thread and beginning.
pub(super) struct Told(BTreeSet<(u64, u64)>);

impl Told {
    pub(super) const fn new() -> Self {
        Told(BTreeSet::new())
    }

    pub(super) fn look(&mut self, cx: &TaskContext) {
        if LIMIT.get() != 0 {
            self.0 = look(cx, &self.0);
        }
    }
}

/// Tells of what was not told before; answers what of it still lasts.
fn look(cx: &TaskContext, told: &BTreeSet<(u64, u64)>) -> BTreeSet<(u64, u64)> {
    let mut lasting = BTreeSet::new();
    for waiting in too_long().filter(|waiting| waiting.is_the_kernels() || chain::is_deadlock(waiting)) {
        let key = (waiting.thread.id(), waiting.since);
        if !told.contains(&key) {
            chain::lines(cx, &waiting).iter().for_each(|line| warn!("hung: {line}"));
        }
        lasting.insert(key);
    }
    lasting
}

/// Waits without an end of their own that have lasted beyond the limit.
fn too_long() -> impl Iterator<Item = Waiting> {
    let begun = clock::now().saturating_sub(LIMIT.get());
    waits::all().filter(move |waiting| waiting.until.is_none() && waiting.since <= begun)
}

/// All such waits as lines; those that the log does not hear of are marked.
pub fn lasting(cx: &TaskContext) -> Vec<String> {
    let mut all = Vec::new();
    for waiting in too_long() {
        let mut lines = chain::lines(cx, &waiting);
        if !waiting.is_the_kernels()
            && !chain::is_deadlock(&waiting)
            && let Some(first) = lines.first_mut()
        {
            first.push_str(" (at rest)");
        }
        all.append(&mut lines);
    }
    all
}
