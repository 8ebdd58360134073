//! Memory has run out: one program dies, and not the kernel.
//!
//! Invariant: whoever waits here holds no lock. One program is killed at a time; the next only when that one is gone, or does not go, and
//! there is still too little. The first process is never chosen.

use alloc::sync::Arc;

use abi::signal::SIGKILL;
use libkernel::clock;
use libkernel::log::warn;
use libkernel::memory::frames::{self, Shortage};
use libkernel::thread::stack;
use libkernel::wait::{self, Deadline};
use sync::{Published, TaskContext};

use super::shared::Process;
use super::signals::post;
use super::status::ExitStatus;
use super::table;
use super::task::Task;
use super::tree::FIRST;
use crate::fs::page_cache;

const MILLISECOND: u64 = 1_000_000;
/// How long one who needs memory waits for it.
const PATIENCE: u64 = 3_000 * MILLISECOND;
const LOOK_EVERY: u64 = 5 * MILLISECOND;
/// How long one who was killed has to be gone before another is chosen.
const TIME_TO_DIE: u64 = 500 * MILLISECOND;
/// What a thread costs besides its memory, in pages.
const PAGES_PER_TASK: u64 = 8;

static LAST_CHOICE: Published<u64> = Published::<u64>::new(0);

/// Waits until there is less of a shortage than `too_much`, killing who has most if that is what it takes. False when there is
/// no more memory, or the caller is to die itself.
pub fn relieve(cx: &mut TaskContext, task: &Task, too_much: Shortage) -> bool {
    let deadline = clock::now().saturating_add(PATIENCE);
    loop {
        if frames::shortage() < too_much {
            return true;
        }
        if task.process().signals.lock(cx).must_leave(task.id()) {
            return false;
        }
        let now = clock::now();
        if now >= deadline {
            return false;
        }
        if stack::give_back_unused(cx) == 0 && page_cache::shrink_all(cx) == 0 && !choose(cx, now) {
            return false;
        }
        if frames::shortage() >= too_much {
            let _time_is_up = wait::sleep_until(cx, Deadline::at(now.saturating_add(LOOK_EVERY)), false);
        }
    }
}

/// Kills whoever has most, unless somebody is dying already. Was there anybody?
fn choose(cx: &mut TaskContext, now: u64) -> bool {
    let last = LAST_CHOICE.load();
    let (victim, dying) = largest(cx);
    if dying && now.saturating_sub(last) < TIME_TO_DIE {
        return true;
    }
    let Some((victim, pages)) = victim else {
        return dying;
    };
    // Of several who come here at once, one kills, and the others see it done before they look again.
    if now.saturating_sub(last) < LOOK_EVERY || LAST_CHOICE.compare_exchange(last, now).is_err() {
        return true;
    }
    let kilobytes = pages.saturating_mul(4);
    warn!("out of memory: {} (process {}) is killed; it had {kilobytes} KiB", victim.name(cx), victim.id());
    post::end_process(cx, &victim, ExitStatus::Killed { signal: SIGKILL, dumped: false });
    true
}

/// Who has most of those that are not dying, and how much that is; and whether somebody is dying.
fn largest(cx: &mut TaskContext) -> (Option<(Arc<Process>, u64)>, bool) {
    let mut found: Option<(Arc<Process>, u64)> = None;
    let mut dying = false;
    for process in table::all(cx) {
        let state = process.signals.lock(cx);
        let (is_gone, is_dying) = (state.members.is_empty(), state.ending.is_some());
        drop(state);
        dying |= is_dying && !is_gone;
        if is_gone || is_dying || process.id() == FIRST {
            continue;
        }
        let pages = weight(cx, &process);
        if found.as_ref().is_none_or(|(_, most)| pages >= *most) {
            found = Some((process, pages));
        }
    }
    (found, dying)
}

/// What would come back if it were gone, in pages, as far as that is known.
fn weight(cx: &TaskContext, process: &Process) -> u64 {
    let resident = process.space(cx).map_or(0, |space| space.resident_pages() as u64);
    let state = process.signals.lock(cx);
    let tasks = state.members.len() as u64;
    let first = state.members.values().next().map(|member| member.task.clone());
    drop(state);
    let files = first.and_then(|task| task.open_files(cx)).map_or(0, |files| files.weight(cx));
    resident.saturating_add(tasks.saturating_mul(PAGES_PER_TASK)).saturating_add(files)
}
