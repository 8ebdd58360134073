//! One segment: its pages, who uses it, and the two ways it is mapped.
//!
//! Invariant: `attached` counts the regions that show it, in all spaces, and the attachments under way. Once a removed segment has
//! none, nobody attaches it again: only who finds it attached may, and so does a fork.

use alloc::collections::BTreeMap;
use alloc::format;
use alloc::string::String;
use alloc::sync::{Arc, Weak};

use libkernel::address_space::{Attached, PageSource, SourceNumber};
use libkernel::census::{Census, Counted};
use libkernel::clock;
use libkernel::error::KernelError;
use libkernel::memory::Page;
use libkernel::thread;
use libkernel::wait::Mutex;
use sync::{Counter, Once, Published, TaskContext, order};

/// Segments that somebody can still reach.
pub static LIVING: Census = Census::new("shared segments");

/// The pages of all segments, whether they were ever touched or not.
static PAGES: Published<u64> = Published::<u64>::new(0);

/// Says which process a thread belongs to, by what hangs on the thread.
pub type ProcessOf = fn(&thread::Payload) -> Option<i32>;

static PROCESS_OF: Once<ProcessOf> = Once::new();

/// Told once, before there are programs.
pub fn set_process_of(process_of: ProcessOf) {
    let _set_by_the_first_attempt = PROCESS_OF.set(process_of);
}

/// Now, in seconds.
pub fn seconds() -> i64 {
    i64::try_from(clock::wall_clock() / 1_000_000_000).unwrap_or(i64::MAX)
}

/// The pages of all segments.
pub fn all_pages() -> u64 {
    PAGES.load()
}

/// The memory of a segment.
pub struct Memory {
    _counted: Counted,
    identity: SourceNumber,
    key: i32,
    bytes: u64,
    attached: Published<u64>,
    attached_at: Published<i64>,
    detached_at: Published<i64>,
    last: Published<i32>,
    in_memory: Counter,
    present: Mutex<BTreeMap<u64, Page>, order::PageCache>,
}

/// How a segment is used now.
#[derive(Clone, Copy)]
pub struct Uses {
    pub attached: u64,
    /// In seconds; 0 is never.
    pub attached_at: i64,
    pub detached_at: i64,
    /// The process that attached or detached it last.
    pub last: i32,
    /// Pages that were touched.
    pub in_memory: u64,
}

impl Memory {
    pub fn new(key: i32, bytes: u64) -> Arc<Self> {
        PAGES.fetch_add(bytes.div_ceil(4096));
        Arc::new(Self {
            _counted: LIVING.count(),
            identity: SourceNumber::new(),
            key,
            bytes,
            attached: Published::<u64>::new(0),
            attached_at: Published::<i64>::new(0),
            detached_at: Published::<i64>::new(0),
            last: Published::<i32>::new(0),
            in_memory: Counter::new(0),
            present: Mutex::new(BTreeMap::new()),
        })
    }

    const fn pages(&self) -> u64 {
        self.bytes.div_ceil(4096)
    }

    /// How it is used now.
    pub fn uses(&self) -> Uses {
        Uses {
            attached: self.attached.load(),
            attached_at: self.attached_at.load(),
            detached_at: self.detached_at.load(),
            last: self.last.load(),
            in_memory: self.in_memory.get(),
        }
    }

    fn used_now(&self, at: &Published<i64>) {
        at.store(seconds());
        let process = thread::current::payload().zip(PROCESS_OF.get()).and_then(|(payload, process_of)| process_of(&payload));
        self.last.store(process.unwrap_or(0));
    }
}

impl Drop for Memory {
    fn drop(&mut self) {
        PAGES.fetch_sub(self.pages());
    }
}

impl Attached for Memory {
    fn length(&self) -> u64 {
        self.bytes.next_multiple_of(4096)
    }

    fn region_came(&self) {
        self.attached.fetch_add(1);
        self.used_now(&self.attached_at);
    }

    fn region_went(&self) {
        self.used_now(&self.detached_at);
        self.attached.fetch_sub(1);
    }
}

/// What regions share: the memory, to be written or only read.
pub struct View {
    memory: Arc<Memory>,
    may_write: bool,
}

impl PageSource for View {
    fn page(&self, cx: &mut TaskContext, index: u64, _: bool) -> Result<Page, KernelError> {
        if index >= self.memory.pages() {
            return Err(KernelError::NotFound);
        }
        let mut present = self.memory.present.lock(cx);
        if let Some(page) = present.get(&index) {
            return Ok(page.clone());
        }
        let page = Page::zeroed()?;
        present.insert(index, page.clone());
        self.memory.in_memory.increment();
        Ok(page)
    }

    fn is_in_memory(&self, cx: &mut TaskContext, index: u64) -> bool {
        self.memory.present.lock(cx).contains_key(&index)
    }

    fn name(&self) -> String {
        format!("/SYSV{:08x} (deleted)", self.memory.key)
    }

    fn identity(&self) -> usize {
        self.memory.identity.get()
    }

    fn may_write_shared(&self) -> bool {
        self.may_write
    }

    fn attached(&self) -> Option<&dyn Attached> {
        Some(&*self.memory)
    }
}

/// An attachment under way: counted from before it is mapped, so that a removed segment stays.
pub struct Attaching(Arc<View>);

impl Attaching {
    /// Whoever makes one has seen that the segment is still to be had.
    pub fn new(memory: Arc<Memory>, may_write: bool) -> Self {
        memory.attached.fetch_add(1);
        Self(Arc::new(View { memory, may_write }))
    }

    pub fn source(&self) -> Arc<View> {
        Arc::clone(&self.0)
    }

    pub fn length(&self) -> u64 {
        Attached::length(&*self.0.memory)
    }
}

impl Drop for Attaching {
    fn drop(&mut self) {
        self.0.memory.attached.fetch_sub(1);
    }
}

/// How the table knows a segment's memory.
pub enum Hold {
    /// It was not removed.
    Own(Arc<Memory>),
    /// It was: it lives as long as it is attached.
    Removed(Weak<Memory>),
}

impl Hold {
    /// The memory, if somebody may still find it. To be let go of outside of the table's lock.
    pub fn memory(&self) -> Option<Arc<Memory>> {
        match self {
            Self::Own(memory) => Some(Arc::clone(memory)),
            Self::Removed(memory) => memory.upgrade(),
        }
    }

    pub const fn is_removed(&self) -> bool {
        matches!(self, Self::Removed(_))
    }

    /// Nobody has it any more.
    pub fn is_gone(&self) -> bool {
        matches!(self, Self::Removed(memory) if memory.strong_count() == 0)
    }
}
