//! All memory that the kernel has given out, by what it is used for: what must be the same before and after.
//!
//! Invariant: every frame is named; what is only kept for the next one to ask was given back first, or is not counted. On a
//! kernel that does not say, everything is in order.

use std::collections::BTreeMap;

use crate::objects::own_pages;
use crate::{done, fail, is_braid, sleep_ms};

/// A list or a tree in the heap keeps its room when it gets shorter, so the first busy moment that is busier than all before it
/// costs an object here and there, once. What is lost again and again is soon more.
const ROOM_FOR_MORE: u64 = 4;

/// How much of each kind is in use.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Memory(BTreeMap<String, u64>);

impl Memory {
    /// What is in use now, without this program's own pages.
    pub fn now() -> Self {
        let mut kinds = BTreeMap::new();
        if !is_braid() {
            return Memory(kinds);
        }
        done("giving back what is kept", std::fs::write("/proc/sys/vm/drop_caches", "3"));
        let objects = text("/proc/objects");
        kinds.extend(objects.lines().filter_map(|line| line.rsplit_once(' ')).map(|(kind, count)| (kind.to_owned(), number(count))));
        if let Some(pages) = kinds.get_mut("pages") {
            *pages = pages.saturating_sub(own_pages());
        }
        let (slabs, sizes) = (slabs(&mut kinds), sizes());
        let pages_of = |name: &str| sizes.get(name).copied().unwrap_or(0) / 4;
        kinds.insert("pages of stacks".to_owned(), pages_of("KernelStack"));
        kinds.insert("heap pages in rows".to_owned(), pages_of("Slab").saturating_sub(slabs));
        let named = pages_of("AnonPages") + pages_of("Slab") + pages_of("KernelStack") + pages_of("PageTables");
        kinds.insert("pages of no known use".to_owned(), (pages_of("MemTotal") - pages_of("MemFree")).saturating_sub(named));
        Memory(kinds)
    }

    /// The same, once nothing that has ended is still being cleared up: the least of many looks.
    pub fn settled() -> Self {
        let mut least = Memory::now();
        for _ in 0..20 {
            sleep_ms(5);
            for (kind, count) in Memory::now().0 {
                least.0.entry(kind).and_modify(|least| *least = count.min(*least));
            }
        }
        least
    }

    /// What stays in use of each kind, on standard error.
    pub fn tell_growth(&self) {
        let then = |kind: &str| self.0.get(kind).copied().unwrap_or(0);
        for (kind, now) in Memory::settled().0 {
            if now != then(&kind) {
                eprintln!("{kind}: {} before, and now {now}", then(&kind));
            }
        }
    }

    /// Not more of any kind is in use than then, at once or after the moment that the kernel needs to clear up.
    #[track_caller]
    pub fn must_not_have_grown(&self) {
        for _ in 0..200 {
            if self.growth().is_empty() {
                return;
            }
            sleep_ms(10);
        }
        fail(&format!("memory was lost: {}", self.growth().join(", ")));
    }

    fn growth(&self) -> Vec<String> {
        let before = |kind: &str| self.0.get(kind).copied().unwrap_or(0);
        let room = |kind: &str| if kind.starts_with("kmalloc-") { ROOM_FOR_MORE } else { 0 };
        let grown = Memory::now().0.into_iter().filter(|(kind, now)| *now > before(kind) + room(kind));
        grown.map(|(kind, now)| format!("{kind}: {} before, and now {now}", before(&kind))).collect()
    }
}

/// What the heap's classes have in use, into `kinds`; answers how many pages were cut for them.
fn slabs(kinds: &mut BTreeMap<String, u64>) -> u64 {
    let mut pages = 0;
    for line in text("/proc/slabinfo").lines().skip(2) {
        let words: Vec<&str> = line.split_whitespace().collect();
        kinds.insert(words[0].to_owned(), number(words[1]));
        pages += number(words[words.len() - 2]);
    }
    pages
}

/// /proc/meminfo, in KiB.
fn sizes() -> BTreeMap<String, u64> {
    let line = |line: &str| Some((line.split_once(':')?.0.to_owned(), number(line.split_whitespace().nth(1)?)));
    text("/proc/meminfo").lines().filter_map(line).collect()
}

fn text(path: &str) -> String {
    done(path, std::fs::read_to_string(path))
}

fn number(text: &str) -> u64 {
    done("a number", text.parse())
}
