//! What each CPU remembers of the tables, by tag and page.
//!
//! Invariant: a CPU looks into the tables only for what it does not remember.

use std::cell::RefCell;
use std::collections::BTreeMap;
use sync::{Published, cpu};

const CPUS: usize = 4;

#[derive(Clone, Default)]
pub struct Buffer {
    tag: u16,
    remembered: BTreeMap<(u16, usize), u64>,
}

impl Buffer {
    pub fn load(&mut self, tag: u16, keeps: bool) {
        self.tag = tag;
        if !keeps {
            self.remembered.retain(|(of, _), _| *of != tag);
        }
    }

    /// Forgets all pages, under the tag in use.
    pub fn forget_all(&mut self) {
        self.load(self.tag, false);
    }

    /// Forgets a page, under the tag in use.
    pub fn forget(&mut self, page: usize) {
        self.remembered.remove(&(self.tag, page));
    }
}

// One model's threads all run on one OS thread.
std::thread_local! {
    static BUFFERS: RefCell<Vec<Buffer>> = const { RefCell::new(Vec::new()) };
}

/// The machine is switched on.
pub fn clear() {
    BUFFERS.set(vec![Buffer::default(); CPUS]);
}

/// This CPU's.
pub fn mine<R>(work: impl FnOnce(&mut Buffer) -> R) -> R {
    BUFFERS.with_borrow_mut(|buffers| work(&mut buffers[cpu::current().index()]))
}

/// What this CPU takes for the entry of `page` when a program on it uses the page.
pub fn translate(page: usize, entry: &Published<u64>) -> u64 {
    let known = mine(|buffer| buffer.remembered.get(&(buffer.tag, page)).copied());
    known.unwrap_or_else(|| {
        let found = entry.load();
        mine(|buffer| buffer.remembered.insert((buffer.tag, page), found));
        found
    })
}
