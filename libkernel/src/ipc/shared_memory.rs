//! Memory with a handle, mapped by several programs.
//!
//! Invariant: a page is made when it is first touched, and counts until the memory goes; all such memory together holds
//! no more than half of the machine's.

use crate::address_space::{PageSource, SourceNumber};
use crate::census::{Census, Counted};
use crate::error::KernelError;
use crate::memory::{Page, statistics};
use crate::wait::Mutex;
use alloc::collections::BTreeMap;
use alloc::string::String;
use alloc::sync::Arc;
use sync::{Published, TaskContext, order};

/// Shared memories in use.
pub static LIVING: Census = Census::new("shared memories");

/// Pages that all of them hold.
static HELD: Published<u64> = Published::<u64>::new(0);
const PAGE: u64 = 4096;

pub struct SharedMemory {
    _counted: Counted,
    number: SourceNumber,
    size: u64,
    pages: Mutex<BTreeMap<u64, Page>, order::PageCache>,
}

fn most_pages() -> u64 {
    statistics().total / 2
}

impl SharedMemory {
    /// `Invalid` for nothing, `NoMemory` for more than there could ever be.
    pub fn new(size: u64) -> Result<Arc<Self>, KernelError> {
        if size == 0 {
            return Err(KernelError::Invalid);
        }
        if size.div_ceil(PAGE) > most_pages() {
            return Err(KernelError::NoMemory);
        }
        Ok(Arc::new(SharedMemory { _counted: LIVING.count(), number: SourceNumber::new(), size, pages: Mutex::new(BTreeMap::new()) }))
    }

    /// One page that is there already: a ring.
    pub fn of_page(page: Page) -> Arc<Self> {
        HELD.fetch_add(1);
        Arc::new(SharedMemory {
            _counted: LIVING.count(),
            number: SourceNumber::new(),
            size: PAGE,
            pages: Mutex::new(BTreeMap::from([(0, page)])),
        })
    }

    pub const fn size(&self) -> u64 {
        self.size
    }
}

impl PageSource for SharedMemory {
    fn page(&self, cx: &mut TaskContext, index: u64, _: bool) -> Result<Page, KernelError> {
        if index >= self.size.div_ceil(PAGE) {
            return Err(KernelError::NotFound);
        }
        let mut pages = self.pages.lock(cx);
        if let Some(page) = pages.get(&index) {
            return Ok(page.clone());
        }
        if HELD.fetch_add(1) >= most_pages() {
            HELD.fetch_sub(1);
            return Err(KernelError::NoMemory);
        }
        match Page::zeroed() {
            Ok(page) => {
                pages.insert(index, page.clone());
                Ok(page)
            }
            Err(error) => {
                HELD.fetch_sub(1);
                Err(error)
            }
        }
    }

    fn is_in_memory(&self, cx: &mut TaskContext, index: u64) -> bool {
        self.pages.lock(cx).contains_key(&index)
    }

    fn name(&self) -> String {
        String::from("anon_inode:[shared-memory]")
    }

    fn identity(&self) -> usize {
        self.number.get()
    }
}

impl Drop for SharedMemory {
    fn drop(&mut self) {
        HELD.fetch_sub(self.pages.get_mut().len() as u64);
    }
}
