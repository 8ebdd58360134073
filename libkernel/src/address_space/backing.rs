//! Where the contents of a mapping come from.
//!
//! Invariant: a page of a source is never written through a private mapping: that gets a copy.

use super::viewers::Viewers;
use crate::error::KernelError;
use crate::memory::Page;
use crate::wait::Mutex;
use alloc::collections::BTreeMap;
use alloc::string::String;
use alloc::sync::Arc;
use sync::{Published, TaskContext, order};

/// Something whose contents can be mapped: a file, shared memory.
pub trait PageSource: Send + Sync {
    /// The page of that number, which everybody who maps the source shares. `for_write`: a program is about to change
    /// it. `Err(NoMemory)` when there is none left, any other error when there are no such contents.
    /// Called with the space locked: must not touch a program's memory.
    fn page(&self, cx: &mut TaskContext, index: u64, for_write: bool) -> Result<Page, KernelError>;

    /// Is the page of that number at hand? Called with the space locked, as `page` is.
    fn is_in_memory(&self, _: &mut TaskContext, _index: u64) -> bool {
        false
    }

    /// What to call it in lists of mappings.
    fn name(&self) -> String;

    /// The same for all that show the same contents, and for no others at any time. Not 0.
    fn identity(&self) -> usize;

    /// Who shows it, where pages of it may go while it is mapped.
    fn viewers(&self) -> Option<&Viewers> {
        None
    }

    /// May a shared mapping change the contents?
    fn may_write_shared(&self) -> bool {
        true
    }

    /// What hears of each region that shows it, for a source that is attached and detached as a whole. Such regions stay apart.
    fn attached(&self) -> Option<&dyn Attached> {
        None
    }

    /// May a private mapping have copies that differ?
    fn may_write_private(&self) -> bool {
        true
    }

    /// May a mapping be made longer than it was made?
    fn may_grow(&self) -> bool {
        true
    }
}

/// Hears of the regions that show a source. It is told while their list changes or goes: it may neither lock nor sleep.
pub trait Attached: Send + Sync {
    /// The length of the whole, in bytes, from page 0 on.
    fn length(&self) -> u64;
    /// One region more shows it.
    fn region_came(&self);
    /// One region less.
    fn region_went(&self);
}

/// A source's own number: no other has it, before or after. Taken when it is first asked for.
pub struct SourceNumber(Published<u64>);

static TAKEN: Published<u64> = Published::<u64>::new(0);

impl SourceNumber {
    pub const fn new() -> Self {
        SourceNumber(Published::<u64>::new(0))
    }

    /// Not 0.
    pub fn get(&self) -> usize {
        let known = self.0.load();
        let number = if known == 0 {
            let new = TAKEN.fetch_add(1) + 1;
            // Who comes second takes the first one's.
            self.0.compare_exchange(0, new).map_or_else(|others| others, |_| new)
        } else {
            known
        };
        number as usize
    }
}

impl Default for SourceNumber {
    fn default() -> Self {
        Self::new()
    }
}

/// What a new mapping shows.
#[derive(Clone)]
pub enum Backing {
    /// Zeroes, for this program alone.
    Anonymous,
    /// The same, and it may be larger than all memory: the program says that it will use little of it.
    SparseAnonymous,
    /// Zeroes, which children share.
    SharedAnonymous,
    /// `first_page` of the source stands at the start of the mapping. Writes to it are private, or everybody's.
    Source { source: Arc<dyn PageSource>, first_page: u64, shared: bool },
}

/// What a region shows.
#[derive(Clone)]
pub(super) enum Contents {
    Anonymous,
    Source { source: Arc<dyn PageSource>, first_page: u64, shared: bool },
}

impl Contents {
    pub fn of(backing: Backing) -> Contents {
        match backing {
            Backing::Anonymous | Backing::SparseAnonymous => Contents::Anonymous,
            Backing::SharedAnonymous => Contents::Source { source: Arc::new(SharedMemory::new()), first_page: 0, shared: true },
            Backing::Source { source, first_page, shared } => Contents::Source { source, first_page, shared },
        }
    }

    pub const fn is_shared(&self) -> bool {
        matches!(self, Contents::Source { shared: true, .. })
    }

    /// May a mapping of it be written at all, be it that copies are?
    pub fn may_be_written(&self) -> bool {
        match self {
            Contents::Anonymous => true,
            Contents::Source { source, shared: true, .. } => source.may_write_shared(),
            Contents::Source { source, .. } => source.may_write_private(),
        }
    }

    pub fn may_grow(&self) -> bool {
        match self {
            Contents::Anonymous => true,
            Contents::Source { source, .. } => source.may_grow(),
        }
    }

    /// Who is to hear of its regions.
    pub fn attached(&self) -> Option<&dyn Attached> {
        match self {
            Contents::Source { source, .. } => source.attached(),
            Contents::Anonymous => None,
        }
    }

    /// The same, `pages` further on.
    pub fn advanced(&self, pages: u64) -> Contents {
        match self {
            Contents::Anonymous => Contents::Anonymous,
            Contents::Source { source, first_page, shared } => {
                Contents::Source { source: Arc::clone(source), first_page: first_page + pages, shared: *shared }
            }
        }
    }

    /// Does `next`, that begins `pages` further on, go on where this ends?
    pub fn continues_in(&self, pages: u64, next: &Contents) -> bool {
        match (self, next) {
            (Contents::Anonymous, Contents::Anonymous) => true,
            (
                Contents::Source { source, first_page, shared },
                Contents::Source { source: next_source, first_page: next_page, shared: next_shared },
            ) => Arc::ptr_eq(source, next_source) && first_page + pages == *next_page && shared == next_shared,
            _ => false,
        }
    }
}

/// Memory that a program shares with its children.
struct SharedMemory {
    number: SourceNumber,
    pages: Mutex<BTreeMap<u64, Page>, order::PageCache>,
}

impl SharedMemory {
    const fn new() -> Self {
        SharedMemory { number: SourceNumber::new(), pages: Mutex::new(BTreeMap::new()) }
    }
}

impl PageSource for SharedMemory {
    fn page(&self, cx: &mut TaskContext, index: u64, _: bool) -> Result<Page, KernelError> {
        let mut pages = self.pages.lock(cx);
        if let Some(page) = pages.get(&index) {
            return Ok(page.clone());
        }
        let page = Page::zeroed()?;
        pages.insert(index, page.clone());
        Ok(page)
    }

    fn is_in_memory(&self, cx: &mut TaskContext, index: u64) -> bool {
        self.pages.lock(cx).contains_key(&index)
    }

    fn name(&self) -> String {
        String::from("/dev/zero (deleted)")
    }

    fn identity(&self) -> usize {
        self.number.get()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn contents_keep_their_number_and_nobody_gets_it_after_them() {
        let mut seen = alloc::collections::BTreeSet::new();
        for _ in 0..100 {
            let memory: Arc<dyn PageSource> = Arc::new(SharedMemory::new());
            assert_eq!(memory.identity(), memory.identity());
            assert!(memory.identity() != 0 && seen.insert(memory.identity()), "a number was given out again");
        }
    }
}
