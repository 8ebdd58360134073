//! A port's queues in memory that it shares with a program: one page each.
//!
//! Invariant: the kernel goes by its own copy of the index that it writes, and by nothing that it read: the other index
//! is read once, and used only if it makes sense.

use super::places::Finished;
use crate::error::KernelError;
use crate::memory::Page;
use sync::twin::{self, Twin};

/// Where indices and entries are, and how large an entry is.
#[derive(Clone, Copy)]
pub struct Layout {
    pub head: usize,
    pub tail: usize,
    pub mask: usize,
    pub entries: usize,
    pub entry_bytes: usize,
}

/// A ring of `entries` entries, a power of two.
struct Ring {
    page: Page,
    layout: Layout,
    entries: u32,
    /// The index that the kernel writes.
    own: u32,
}

impl Ring {
    fn new(page: Page, layout: Layout, entries: u32) -> Self {
        assert!(entries.is_power_of_two(), "a ring of {entries} entries");
        page.store(layout.mask, entries - 1);
        Ring { page, layout, entries, own: 0 }
    }

    fn place_of(&self, index: u32) -> usize {
        self.layout.entries + (index & (self.entries - 1)) as usize * self.layout.entry_bytes
    }
}

/// What the program asks for: it writes the tail, the kernel the head.
pub struct SubmissionRing(Ring);

impl SubmissionRing {
    pub fn new(page: Page, layout: Layout, entries: u32) -> Self {
        SubmissionRing(Ring::new(page, layout, entries))
    }

    /// How many entries wait. `Invalid` when the indices make no sense.
    pub fn waiting(&self) -> Result<u32, KernelError> {
        let ring = &self.0;
        if ring.page.load(ring.layout.head) != ring.own {
            return Err(KernelError::Invalid);
        }
        let waiting = ring.page.load(ring.layout.tail).wrapping_sub(ring.own);
        if waiting <= ring.entries { Ok(waiting) } else { Err(KernelError::Invalid) }
    }

    /// A copy of the first entry; the caller knows that one waits.
    pub fn first(&self, into: &mut [u8]) {
        self.0.page.read(self.0.place_of(self.0.own), into);
    }

    /// It has been taken.
    pub fn advance(&mut self) {
        self.0.own = self.0.own.wrapping_add(1);
        self.0.page.store(self.0.layout.head, self.0.own);
    }
}

/// Gives a completion as the program sees it to whoever is handed in.
type Encode = fn(&Finished, &mut dyn FnMut(&[u8]));

/// What the kernel answers: it writes the tail, the program the head.
pub struct CompletionRing {
    ring: Ring,
    /// Where the program's head was when it last made sense.
    head: u32,
    encode: Encode,
}

impl CompletionRing {
    /// `encode` gives a completion as the program sees it.
    pub fn new(page: Page, layout: Layout, entries: u32, encode: Encode) -> Self {
        CompletionRing { ring: Ring::new(page, layout, entries), head: 0, encode }
    }

    /// How many completions there is room for.
    pub const fn entries(&self) -> u32 {
        self.ring.entries
    }

    /// How many completions the program has not taken, as far as it says anything sensible.
    pub fn ready(&self) -> u32 {
        self.taken().unwrap_or(0)
    }

    /// How many completions the program has not taken: its head lies between where it was before and the tail.
    fn taken(&self) -> Result<u32, KernelError> {
        let head = self.ring.page.load(self.ring.layout.head);
        let (taken, before) = (self.ring.own.wrapping_sub(head), self.ring.own.wrapping_sub(self.head));
        if taken <= before || twin::is(Twin::IndexBelieved) { Ok(taken) } else { Err(KernelError::Invalid) }
    }

    pub fn check(&mut self) -> Result<(), KernelError> {
        if self.ring.page.load(self.ring.layout.tail) != self.ring.own {
            return Err(KernelError::Invalid);
        }
        self.follow().map(|_| ())
    }

    /// Notes how far the program is.
    fn follow(&mut self) -> Result<u32, KernelError> {
        let taken = self.taken()?;
        self.head = self.ring.own.wrapping_sub(taken);
        Ok(taken)
    }

    /// False when there is no room, or nobody can tell.
    pub fn put(&mut self, finished: &Finished) -> bool {
        if self.follow().map_or(true, |taken| taken == self.ring.entries) {
            return false;
        }
        let place = self.ring.place_of(self.ring.own);
        if twin::is(Twin::IndexBeforeEntry) {
            self.ring.page.store(self.ring.layout.tail, self.ring.own.wrapping_add(1));
        }
        (self.encode)(finished, &mut |bytes| self.ring.page.write(place, bytes));
        self.ring.own = self.ring.own.wrapping_add(1);
        self.ring.page.store(self.ring.layout.tail, self.ring.own);
        true
    }
}
