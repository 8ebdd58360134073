//! Kernel objects, where the kernel counts them: `/proc/objects` before and after.
//!
//! Invariant: on a kernel that does not say, everything is in order.

use crate::{fail, must, sleep_ms};
use std::collections::BTreeMap;

/// How many of each kind live.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Objects(BTreeMap<String, u64>);

impl Objects {
    /// Now.
    pub fn now() -> Self {
        let text = std::fs::read_to_string("/proc/objects").unwrap_or_default();
        let line = |line: &str| line.rsplit_once(' ').and_then(|(kind, count)| Some((kind.to_owned(), count.parse().ok()?)));
        let mut kinds: BTreeMap<String, u64> = text.lines().filter_map(line).collect();
        // What this program has itself comes and goes with its own heap.
        if let Some(pages) = kinds.get_mut("pages") {
            *pages = pages.saturating_sub(own_pages());
        }
        Objects(kinds)
    }

    /// Without memory, for programs that touch new pages of their own file meanwhile.
    fn but_pages() -> Self {
        let mut objects = Objects::now();
        objects.0.remove("pages");
        objects.0.remove("page tables");
        objects
    }

    /// The same, once nothing that has ended is still being cleared up: the fewest of many looks.
    pub fn settled_but_pages() -> Self {
        let mut fewest = Objects::but_pages();
        for _ in 0..10 {
            sleep_ms(5);
            for (kind, count) in Objects::but_pages().0 {
                fewest.0.entry(kind).and_modify(|least| *least = count.min(*least));
            }
        }
        fewest
    }

    /// What there is that is not this program's own, once its threads but one have gone for good: one that was joined may still be on
    /// its way. A thread keeps a waiter from its first wait for a futex on.
    #[track_caller]
    pub fn of_one_thread() -> Self {
        for _ in 0..500 {
            if Objects::but_pages().0.get("tasks") == Some(&1) {
                // The last of what a thread had, its timers too, goes when a CPU has a moment for that.
                let mut now = Objects::settled_but_pages();
                now.0.remove("threads");
                now.0.remove("futex waiters");
                return now;
            }
            sleep_ms(2);
        }
        fail("this program's other threads have not gone");
    }

    /// As many of each kind live as then, at once or after the moment that the kernel needs to clear up.
    pub fn are_all_there_is(&self) -> bool {
        (0..100).any(|turn| {
            if turn > 0 {
                sleep_ms(10);
            }
            self.differs().is_none()
        })
    }

    /// The same, and the end of the program if not.
    #[track_caller]
    pub fn must_be_all_there_is(&self) {
        if self.are_all_there_is() {
            return;
        }
        let why = self.differs();
        must(&why.clone().unwrap_or_default(), why.is_none());
    }

    fn differs(&self) -> Option<String> {
        let now = Objects::now();
        let (kind, before) = self.0.iter().find(|(kind, before)| now.0.get(*kind) != Some(before))?;
        Some(format!("{kind}: {before} before, and now {:?}", now.0.get(kind)))
    }
}

/// What this program has itself.
pub(crate) fn own_pages() -> u64 {
    let text = std::fs::read_to_string("/proc/self/statm").unwrap_or_default();
    text.split(' ').nth(1).and_then(|pages| pages.parse().ok()).unwrap_or(0)
}
