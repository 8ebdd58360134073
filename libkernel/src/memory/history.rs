//! What the last changes of a space took away: for CPUs that were not told, so that they need not forget everything.
//!
//! Invariant: what is read under a generation is what was written for it: an entry says which it is for, before and after it is
//! written, and a reader that finds another, or one that is being written, reads nothing.

use core::ops::Range;
use sync::twin::{self, Twin};
use sync::{Published, fence_full};

/// So many changes back. Explorers play fewer.
const LENGTH: u64 = if cfg!(any(loom, shuttle)) { 2 } else { 16 };

struct Entry {
    /// The generation that the change made; 0 while it is written.
    generation: Published<u64>,
    start: Published<u64>,
    end: Published<u64>,
}

pub struct History([Entry; LENGTH as usize]);

impl History {
    pub fn new() -> Self {
        let word = || Published::<u64>::new(0);
        History(core::array::from_fn(|_| Entry { generation: word(), start: word(), end: word() }))
    }

    fn entry(&self, generation: u64) -> &Entry {
        &self.0[(generation % LENGTH) as usize]
    }

    /// The change that made `generation` took away what was in `range`, and nothing else. Whoever does not say so is taken to have
    /// taken everything.
    pub fn note(&self, generation: u64, range: &Range<u64>) {
        let entry = self.entry(generation);
        if !twin::is(Twin::HistoryUnmarked) {
            entry.generation.store(0);
            fence_full();
        }
        entry.start.store(range.start);
        entry.end.store(range.end);
        entry.generation.store(generation);
    }

    /// What the change that made `generation` took away, if that is still known.
    pub fn of(&self, generation: u64) -> Option<Range<u64>> {
        let entry = self.entry(generation);
        if entry.generation.load() != generation {
            return None;
        }
        let range = entry.start.load()..entry.end.load();
        fence_full();
        (entry.generation.load() == generation).then_some(range)
    }

    /// The changes after `known`, up to `latest`: of all of them or of none.
    pub fn between(&self, known: u64, latest: u64) -> Option<impl Iterator<Item = Range<u64>>> {
        if latest < known || latest - known > LENGTH {
            return None;
        }
        let mut ranges = [const { 0..0 }; LENGTH as usize];
        for (place, generation) in ranges.iter_mut().zip(known + 1..=latest) {
            *place = self.of(generation)?;
        }
        Some(ranges.into_iter().filter(|range| !range.is_empty()))
    }
}
