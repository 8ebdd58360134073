//! The contents of a file on a disk, page by page.
//!
//! Invariant: a page is the same for all who read or map it for as long as anybody has it; its bytes beyond the end of the file
//! are zero.

use alloc::string::String;
use alloc::vec;

use abi::Errno;
use libkernel::address_space::PageSource;
use libkernel::error::KernelError;
use libkernel::memory::Page;
use sync::TaskContext;

use super::super::disk::{AHEAD, PAGE};
use super::super::node::Node;
use super::super::tmpfs::LowerNode;
use super::node::ExtNode;
use crate::error::errno;

impl ExtNode {
    /// The page of that number; `None` where the file has a hole, or has ended.
    pub(super) fn data_page(&self, cx: &mut TaskContext, index: u64) -> Result<Option<Page>, Errno> {
        let place = (u64::from(self.number), index);
        if let Some(page) = self.volume.pages.get(cx, place) {
            return Ok(Some(page));
        }
        if index >= self.inode.size.div_ceil(PAGE) {
            return Ok(None);
        }
        let guard = self.filling.lock(cx);
        let page = match self.volume.pages.get(cx, place) {
            Some(page) => Ok(Some(page)),
            None => self.fill(cx, index),
        };
        drop(guard);
        page
    }

    fn fill(&self, cx: &mut TaskContext, index: u64) -> Result<Option<Page>, Errno> {
        if let Some(bytes) = &self.inline {
            let page = Page::zeroed().map_err(errno)?;
            let start = usize::try_from(index * PAGE).unwrap_or(usize::MAX);
            let part = bytes.get(start..).unwrap_or_default();
            page.write(0, part.get(..PAGE as usize).unwrap_or(part));
            return Ok(Some(self.keep(cx, index, page)));
        }
        let block_bytes = self.volume.superblock.block_bytes;
        let run = self.volume.run(cx, &self.inode, index * PAGE / block_bytes)?;
        let skipped = index * PAGE % block_bytes;
        let left = run.blocks.saturating_mul(block_bytes).saturating_sub(skipped);
        if left < PAGE {
            return self.fill_by_blocks(cx, index).map(Some);
        }
        let Some(block) = run.disk else { return Ok(None) };
        let wanted = left.min(AHEAD * PAGE).min((self.inode.size - index * PAGE).next_multiple_of(PAGE)) / PAGE * PAGE;
        let mut first = None;
        let mut number = index;
        self.volume.disk.read_pages(cx, block * block_bytes + skipped, wanted, &mut |cx, page| {
            let page = self.keep(cx, number, page);
            first.get_or_insert(page);
            number += 1;
        })?;
        first.ok_or(Errno::EIO).map(Some)
    }

    /// A page whose blocks stand here and there.
    fn fill_by_blocks(&self, cx: &mut TaskContext, index: u64) -> Result<Page, Errno> {
        let block_bytes = self.volume.superblock.block_bytes;
        let page = Page::zeroed().map_err(errno)?;
        let mut bytes = vec![0; usize::try_from(block_bytes.min(PAGE)).unwrap_or(0)];
        let mut at = index * PAGE;
        let end = (at + PAGE).min(self.inode.size);
        while at < end {
            if let Some(block) = self.volume.run(cx, &self.inode, at / block_bytes)?.disk {
                self.volume.disk.read(cx, block * block_bytes + at % block_bytes, &mut bytes)?;
                page.write(usize::try_from(at % PAGE).unwrap_or(0), &bytes);
            }
            at += bytes.len() as u64;
        }
        Ok(self.keep(cx, index, page))
    }

    fn keep(&self, cx: &TaskContext, index: u64, page: Page) -> Page {
        let end = self.inode.size.saturating_sub(index * PAGE).min(PAGE);
        let end = usize::try_from(end).unwrap_or(0);
        page.clear(end, PAGE as usize - end);
        self.volume.pages.keep(cx, (u64::from(self.number), index), page)
    }

    /// The first byte at or after `from` that is on the disk, or that is not.
    pub(super) fn next_data_on_disk(&self, cx: &mut TaskContext, from: u64, hole: bool, size: u64) -> Option<u64> {
        if self.inline.is_some() {
            return if hole { Some(size) } else { (from < size).then_some(from) };
        }
        let block_bytes = self.volume.superblock.block_bytes;
        let mut at = from;
        while at < size {
            // A part of the file that cannot be found is no data, and the hole at its end.
            let Ok(run) = self.volume.run(cx, &self.inode, at / block_bytes) else { break };
            if run.disk.is_none() == hole {
                return Some(at);
            }
            at = (at / block_bytes).saturating_add(run.blocks).saturating_mul(block_bytes);
        }
        hole.then_some(size)
    }
}

impl PageSource for ExtNode {
    fn page(&self, cx: &mut TaskContext, index: u64, for_write: bool) -> Result<Page, KernelError> {
        if for_write {
            return Err(KernelError::Denied);
        }
        if index >= self.inode.size.div_ceil(PAGE) {
            return Err(KernelError::BadAddress);
        }
        match self.data_page(cx, index) {
            Ok(Some(page)) => Ok(page),
            Ok(None) => Ok(self.keep(cx, index, Page::zeroed()?)),
            Err(Errno::ENOMEM) => Err(KernelError::NoMemory),
            Err(_) => Err(KernelError::DeviceFailed),
        }
    }

    fn is_in_memory(&self, cx: &mut TaskContext, index: u64) -> bool {
        self.volume.pages.get(cx, (u64::from(self.number), index)).is_some()
    }

    fn name(&self) -> String {
        String::new()
    }

    fn identity(&self) -> usize {
        self.source.get()
    }

    fn may_write_shared(&self) -> bool {
        false
    }
}

impl LowerNode for ExtNode {
    fn as_node(&self) -> &dyn Node {
        self
    }

    fn data(&self, cx: &mut TaskContext, index: u64) -> Result<Option<Page>, Errno> {
        self.data_page(cx, index)
    }

    fn forget(&self, cx: &TaskContext, index: u64) {
        let page = self.volume.pages.take(cx, (u64::from(self.number), index));
        drop(page);
    }
}
