//! What the kernel holds, kind by kind: for the leak checks.

use std::collections::BTreeMap;

use crate::{fail, sleep_ms};

/// How many objects of each kind live.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Objects(BTreeMap<String, u64>);

/// Kinds that others than this program make and drop at any time, those that its own heap and stack are made of, and what a thread
/// keeps from its first wait for a futex on.
const NOT_OURS: [&str; 4] = ["threads", "pages", "page tables", "futex waiters"];

impl Objects {
    pub fn now() -> Self {
        let text = std::fs::read_to_string("/proc/objects").unwrap_or_default();
        let line = |line: &str| line.rsplit_once(' ').map(|(kind, count)| (kind.to_owned(), count.parse().unwrap_or(u64::MAX)));
        Objects(text.lines().filter_map(line).filter(|(kind, _)| !NOT_OURS.contains(&kind.as_str())).collect())
    }

    /// What there is once this program's threads but one have gone for good: one that was joined may still be on its way.
    #[track_caller]
    pub fn of_one_thread() -> Self {
        for _ in 0..500 {
            let now = Self::now();
            if now.0.get("tasks") == Some(&1) {
                return now;
            }
            sleep_ms(2);
        }
        fail("this program's other threads have not gone");
    }

    /// As many as now, before long: what other CPUs have just taken off their hands may still be on its way.
    #[track_caller]
    pub fn must_come_back(&self, after: &str) {
        for _ in 0..500 {
            if Self::now() == *self {
                return;
            }
            sleep_ms(2);
        }
        fail(&format!("{after}: {:?}, not {:?} as before", Self::now().0, self.0));
    }
}
