//! Waits that last too long: told once in the log, and listed as long as they last.
//!
//! Invariant: the log hears of waits that only the kernel itself could end, and of circles. An idle shell waits for its terminal for
//! days: waits that an interruption ends, or that may take as long as they like, are only listed.

use super::chain;
use super::waits::{self, Waiting};
use crate::clock;
use crate::error::KernelError;
use crate::sched::{self, Spawn};
use crate::thread::scheduling::HIGHEST_PRIORITY;
use crate::thread::{Policy, Scheduling};
use crate::wait::{self, Deadline};
use crate::warn;
use alloc::boxed::Box;
use alloc::collections::BTreeSet;
use alloc::string::String;
use alloc::vec::Vec;
use sync::{Counter, TaskContext};

/// How long a wait may last, unless the command line says otherwise.
pub const DEFAULT_LIMIT_SECONDS: u64 = 10;
/// Looks in each such time.
const LOOKS: u64 = 4;
const NANOSECONDS: u64 = 1_000_000_000;

/// In nanoseconds; zero for no limit.
static LIMIT: Counter = Counter::new(DEFAULT_LIMIT_SECONDS * NANOSECONDS);

/// Looks after the waits from now on; never with a limit of zero.
pub fn start(cx: &mut TaskContext, limit_seconds: u64) -> Result<(), KernelError> {
    LIMIT.set(limit_seconds.saturating_mul(NANOSECONDS));
    if limit_seconds == 0 {
        return Ok(());
    }
    let scheduling = Scheduling::new(Policy::Fifo, 0, HIGHEST_PRIORITY)?;
    let entry = Box::new(look_for_ever);
    sched::spawn(cx, Spawn { scheduling, ..Spawn::kernel("watchdog", entry) }).map(drop)
}

fn look_for_ever(cx: &mut TaskContext) {
    let mut told = BTreeSet::new();
    loop {
        if wait::sleep_until(cx, Deadline::after(LIMIT.get() / LOOKS), false).is_err() {
            return;
        }
        told = look(cx, &told);
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
