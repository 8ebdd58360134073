//! The pages of a file in memory, for mappings.
//!
//! Invariant: a page that is mapped for writing is the file's own, not one of a file system below.

use alloc::string::String;

use abi::Errno;
use libkernel::address_space::{PageSource, Viewers};
use libkernel::error::KernelError;
use libkernel::memory::frames::Page;
use sync::TaskContext;

use super::node::{Body, TmpNode};

impl PageSource for TmpNode {
    fn page(&self, cx: &mut TaskContext, index: u64, for_write: bool) -> Result<Page, KernelError> {
        let Body::Regular { content, .. } = &self.body else { return Err(KernelError::Invalid) };
        if for_write {
            self.touch(cx);
        }
        let below = self.load(cx).map_err(|_| KernelError::DeviceFailed)?;
        match content.page_within(cx, below, index, for_write) {
            Some(Ok(page)) => Ok(page),
            Some(Err(Errno::ENOMEM | Errno::ENOSPC)) => Err(KernelError::NoMemory),
            Some(Err(_)) => Err(KernelError::DeviceFailed),
            None => Err(KernelError::BadAddress),
        }
    }

    fn is_in_memory(&self, cx: &mut TaskContext, index: u64) -> bool {
        matches!(&self.body, Body::Regular { content, .. } if content.has_own(cx, index))
    }

    fn name(&self) -> String {
        String::new()
    }

    fn identity(&self) -> usize {
        // Others have no pages: `pages` says so.
        if let Body::Regular { number, .. } = &self.body { number.get() } else { 0 }
    }

    fn viewers(&self) -> Option<&Viewers> {
        if let Body::Regular { viewers, .. } = &self.body { Some(viewers) } else { None }
    }
}
