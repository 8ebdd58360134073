//! The bytes of one file, in pages; a page that was never written does not exist and reads as zeros.
//!
//! Invariant: bytes beyond `size` in the last page are zero, so that growing the file shows zeros.

use alloc::collections::BTreeMap;
use alloc::sync::Arc;
use core::ops::Range;

use abi::Errno;
use libkernel::memory::frames::Page;
use sync::{SpinLock, TaskContext, order};

use super::super::buffer::{self, Sink, Source};
use super::volume::Tmpfs;
use crate::error::errno;

pub(super) const PAGE: u64 = 4096;
const PAGE_BYTES: usize = 4096;
/// No file is longer: offsets stay far from overflow.
pub(super) const SIZE_LIMIT: u64 = 1 << 50;

struct Pages {
    size: u64,
    present: BTreeMap<u64, Page>,
}

pub(super) struct Content {
    volume: Arc<Tmpfs>,
    pages: SpinLock<Pages, order::FilePages>,
}

impl Content {
    pub(super) fn new(volume: Arc<Tmpfs>) -> Self {
        Self { volume, pages: SpinLock::new(Pages { size: 0, present: BTreeMap::new() }) }
    }

    /// Length in bytes, and how many pages exist.
    pub(super) fn extent(&self, cx: &TaskContext) -> (u64, u64) {
        let pages = self.pages.lock(cx);
        (pages.size, pages.present.len() as u64)
    }

    /// Bytes from `at` on, within one page: how many are in the file there (0 at its end), and the page unless it is a hole.
    pub(super) fn piece(&self, cx: &TaskContext, at: u64, wanted: usize) -> (usize, Option<Page>) {
        let pages = self.pages.lock(cx);
        let in_file = pages.size.saturating_sub(at).min(PAGE - at % PAGE);
        let length = usize::try_from(in_file).unwrap_or(0).min(wanted);
        let page = if length == 0 { None } else { pages.present.get(&(at / PAGE)).cloned() };
        (length, page)
    }

    /// The page `index`, made when it does not exist.
    pub(super) fn page(&self, cx: &TaskContext, index: u64) -> Result<Page, Errno> {
        if let Some(page) = self.pages.lock(cx).present.get(&index) {
            return Ok(page.clone());
        }
        self.volume.charge()?;
        let fresh = match Page::zeroed() {
            Ok(page) => page,
            Err(error) => {
                self.volume.discharge(1);
                return Err(errno(error));
            }
        };
        let mut pages = self.pages.lock(cx);
        if let Some(page) = pages.present.get(&index) {
            let page = page.clone();
            drop(pages);
            self.volume.discharge(1);
            return Ok(page);
        }
        pages.present.insert(index, fresh.clone());
        Ok(fresh)
    }

    /// The page `index` if the file reaches into it.
    pub(super) fn page_within(&self, cx: &TaskContext, index: u64) -> Option<Result<Page, Errno>> {
        let size = self.pages.lock(cx).size;
        (index < size.div_ceil(PAGE)).then(|| self.page(cx, index))
    }

    /// Puts bytes into one page (`at` and what follows must not cross its end) and lengthens the file to hold them.
    pub(super) fn put(&self, cx: &TaskContext, at: u64, bytes: &[u8]) -> Result<(), Errno> {
        let page = self.page(cx, at / PAGE)?;
        page.write(offset_in_page(at), bytes);
        let mut pages = self.pages.lock(cx);
        pages.size = pages.size.max(at.saturating_add(bytes.len() as u64));
        Ok(())
    }

    /// Copies bytes from `at` on out of the file.
    pub(super) fn read(&self, cx: &mut TaskContext, at: u64, into: &mut dyn Sink) -> Result<usize, Errno> {
        let mut bytes = buffer::chunk(into.remaining())?;
        let mut done = 0;
        while into.remaining() > 0 {
            let Some(from) = at.checked_add(done as u64) else { break };
            let (length, page) = self.piece(cx, from, into.remaining());
            let Some(piece) = bytes.get_mut(..length).filter(|piece| !piece.is_empty()) else { break };
            match page {
                Some(page) => page.read(offset_in_page(from), piece),
                None => piece.fill(0),
            }
            if let Err(error) = into.put(cx, piece) {
                return buffer::partial(done, error);
            }
            done += length;
        }
        Ok(done)
    }

    /// Copies bytes into the file from `begin` on.
    pub(super) fn write(&self, cx: &mut TaskContext, begin: u64, from: &mut dyn Source) -> Result<usize, Errno> {
        let room = usize::try_from(SIZE_LIMIT.saturating_sub(begin)).unwrap_or(usize::MAX);
        if room == 0 && from.remaining() > 0 {
            return Err(Errno::EFBIG);
        }
        let total = from.remaining().min(room);
        let mut bytes = buffer::chunk(total)?;
        let mut done = 0;
        while done < total {
            let at = begin + done as u64;
            let length = (total - done).min(PAGE_BYTES - offset_in_page(at));
            let piece = bytes.get_mut(..length).ok_or(Errno::EINVAL)?;
            let step = from.take(cx, piece).and_then(|()| self.put(cx, at, piece));
            if let Err(error) = step {
                return buffer::partial(done, error);
            }
            done += length;
        }
        Ok(done)
    }

    /// Makes every page of a range exist.
    pub(super) fn reserve(&self, cx: &TaskContext, range: Range<u64>, grow: bool) -> Result<(), Errno> {
        if range.end > SIZE_LIMIT {
            return Err(Errno::EFBIG);
        }
        if range.end.div_ceil(PAGE) - range.start / PAGE > self.volume.limit() {
            return Err(Errno::ENOSPC);
        }
        for index in range.start / PAGE..range.end.div_ceil(PAGE) {
            self.page(cx, index)?;
        }
        if grow {
            let mut pages = self.pages.lock(cx);
            pages.size = pages.size.max(range.end);
        }
        Ok(())
    }

    /// Cuts or extends the file.
    pub(super) fn set_size(&self, cx: &TaskContext, size: u64) -> Result<(), Errno> {
        if size > SIZE_LIMIT {
            return Err(Errno::EFBIG);
        }
        let mut pages = self.pages.lock(cx);
        let cut = size < pages.size;
        pages.size = size;
        if !cut {
            return Ok(());
        }
        let gone = pages.present.split_off(&size.div_ceil(PAGE));
        let last = pages.present.get(&(size / PAGE)).cloned();
        drop(pages);
        if let Some(page) = last.filter(|_| !size.is_multiple_of(PAGE)) {
            let begin = usize::try_from(size % PAGE).unwrap_or(0);
            zero(&page, begin, PAGE_BYTES);
        }
        self.volume.discharge(gone.len() as u64);
        drop(gone);
        Ok(())
    }

    /// Makes a range read as zeros, giving back the pages that lie wholly in it.
    pub(super) fn punch(&self, cx: &TaskContext, from: u64, to: u64) {
        let mut pages = self.pages.lock(cx);
        let (first_whole, after_whole) = (from.div_ceil(PAGE), to / PAGE);
        let mut gone = BTreeMap::new();
        if first_whole < after_whole {
            gone = pages.present.split_off(&first_whole);
            let mut kept = gone.split_off(&after_whole);
            pages.present.append(&mut kept);
        }
        let edges = [from / PAGE, to / PAGE].map(|index| pages.present.get(&index).cloned().map(|page| (index, page)));
        drop(pages);
        for (index, page) in edges.into_iter().flatten() {
            let begin = from.saturating_sub(index * PAGE).min(PAGE);
            let end = to.saturating_sub(index * PAGE).min(PAGE);
            zero(&page, usize::try_from(begin).unwrap_or(0), usize::try_from(end).unwrap_or(0));
        }
        self.volume.discharge(gone.len() as u64);
    }

    /// The first byte at or after `from` that is in a page (or, with `hole`, in none); `None` when the file ends before.
    pub(super) fn next_data(&self, cx: &TaskContext, from: u64, hole: bool) -> Option<u64> {
        let pages = self.pages.lock(cx);
        if from >= pages.size {
            return None;
        }
        if !hole {
            let (index, _) = pages.present.range(from / PAGE..).next()?;
            return Some(from.max(index * PAGE)).filter(|&at| at < pages.size);
        }
        let mut index = from / PAGE;
        for (&present, _) in pages.present.range(index..) {
            if present != index {
                break;
            }
            index += 1;
        }
        Some(from.max(index * PAGE).min(pages.size))
    }
}

fn offset_in_page(at: u64) -> usize {
    usize::try_from(at % PAGE).unwrap_or(0)
}

fn zero(page: &Page, begin: usize, end: usize) {
    page.clear(begin, end.saturating_sub(begin));
}

impl Drop for Content {
    fn drop(&mut self) {
        let pages = core::mem::take(&mut self.pages.get_mut().present);
        self.volume.discharge(pages.len() as u64);
    }
}
