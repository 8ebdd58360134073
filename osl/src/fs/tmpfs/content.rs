//! The bytes of one file, in pages; a page that was never written does not exist and reads as zeros, or as the page of the file
//! below.
//!
//! Invariant: bytes beyond `size` in the last page are zero, so that growing the file shows zeros. A page from below that is to
//! change stands in `present` before the file below forgets it, so all who map it see one page.

use alloc::collections::BTreeMap;
use alloc::sync::Arc;
use core::ops::Range;

use abi::Errno;
use libkernel::memory::frames::Page;
use sync::{SpinLock, TaskContext, order};

use super::super::buffer::{self, Sink, Source};
use super::lower::LowerNode;
use super::volume::Tmpfs;
use crate::error::errno;

pub(super) const PAGE: u64 = 4096;
const PAGE_BYTES: usize = 4096;
/// No file is longer: offsets stay far from overflow.
pub(super) const SIZE_LIMIT: u64 = 1 << 50;

struct Pages {
    size: u64,
    present: BTreeMap<u64, Page>,
    /// Bytes before this that are not in `present` are the file's below.
    below_end: u64,
    /// The size is known: there is no file below, or it has been asked.
    is_begun: bool,
}

impl Pages {
    fn is_below(&self, index: u64) -> bool {
        index.saturating_mul(PAGE) < self.below_end && !self.present.contains_key(&index)
    }
}

/// The file below, if there is one.
pub(super) type Below<'a> = Option<&'a dyn LowerNode>;

/// Where some bytes are.
enum Part {
    Own(Page),
    Below,
    Hole,
}

pub(super) struct Content {
    volume: Arc<Tmpfs>,
    pages: SpinLock<Pages, order::FilePages>,
}

impl Content {
    pub(super) fn new(volume: Arc<Tmpfs>) -> Self {
        Self { volume, pages: SpinLock::new(Pages { size: 0, present: BTreeMap::new(), below_end: 0, is_begun: false }) }
    }

    /// There is a file of this length below. Only the first call counts.
    pub(super) fn begin(&self, cx: &TaskContext, size: u64) {
        let mut pages = self.pages.lock(cx);
        if !pages.is_begun {
            (pages.size, pages.below_end, pages.is_begun) = (size.min(SIZE_LIMIT), size.min(SIZE_LIMIT), true);
        }
    }

    /// Whether bytes of the file below are seen still.
    pub(super) fn has_below(&self, cx: &TaskContext) -> bool {
        self.pages.lock(cx).below_end > 0
    }

    /// Length in bytes, and how many pages exist.
    pub(super) fn extent(&self, cx: &TaskContext) -> (u64, u64) {
        let pages = self.pages.lock(cx);
        (pages.size, pages.present.len() as u64)
    }

    /// Is the page `index` one of this file's own?
    pub(super) fn has_own(&self, cx: &TaskContext, index: u64) -> bool {
        self.pages.lock(cx).present.contains_key(&index)
    }

    /// Bytes from `at` on, within one page: how many are in the file there (0 at its end), and where.
    fn piece(&self, cx: &TaskContext, at: u64, wanted: usize) -> (usize, Part) {
        let pages = self.pages.lock(cx);
        let in_file = pages.size.saturating_sub(at).min(PAGE - at % PAGE);
        let length = usize::try_from(in_file).unwrap_or(0).min(wanted);
        let part = match pages.present.get(&(at / PAGE)) {
            _ if length == 0 => Part::Hole,
            Some(page) => Part::Own(page.clone()),
            None if pages.is_below(at / PAGE) => Part::Below,
            None => Part::Hole,
        };
        (length, part)
    }

    /// A page of the file below, or what has come in its place meanwhile.
    fn below(&self, cx: &mut TaskContext, below: Below<'_>, index: u64) -> Result<Option<Page>, Errno> {
        let Some(lower) = below else { return Ok(None) };
        let page = lower.data(cx, index)?;
        Ok(self.pages.lock(cx).present.get(&index).cloned().or(page))
    }

    /// Makes the page `index` of the file below this file's own, if it is to be seen at all.
    fn adopt(&self, cx: &mut TaskContext, below: Below<'_>, index: u64) -> Result<Option<Page>, Errno> {
        let Some(lower) = below else { return Ok(None) };
        let Some(page) = lower.data(cx, index)? else { return Ok(None) };
        self.volume.charge()?;
        let mut pages = self.pages.lock(cx);
        if !pages.is_below(index) {
            let now = pages.present.get(&index).cloned();
            drop(pages);
            self.volume.discharge(1);
            return Ok(now);
        }
        pages.present.insert(index, page.clone());
        drop(pages);
        lower.forget(cx, index);
        Ok(Some(page))
    }

    /// The page `index`, made when it does not exist.
    fn page(&self, cx: &mut TaskContext, below: Below<'_>, index: u64) -> Result<Page, Errno> {
        let pages = self.pages.lock(cx);
        let (there, is_below) = (pages.present.get(&index).cloned(), pages.is_below(index));
        drop(pages);
        if let Some(page) = there {
            return Ok(page);
        }
        if is_below && let Some(page) = self.adopt(cx, below, index)? {
            return Ok(page);
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

    /// The page `index` if the file reaches into it; one of the file below stays that file's unless it is to be changed.
    pub(super) fn page_within(&self, cx: &mut TaskContext, below: Below<'_>, index: u64, for_write: bool) -> Option<Result<Page, Errno>> {
        let pages = self.pages.lock(cx);
        let (size, is_below) = (pages.size, pages.is_below(index));
        drop(pages);
        if index >= size.div_ceil(PAGE) {
            return None;
        }
        if is_below && !for_write {
            match self.below(cx, below, index) {
                Ok(None) => {}
                Ok(Some(page)) => return Some(Ok(page)),
                Err(error) => return Some(Err(error)),
            }
        }
        Some(self.page(cx, below, index))
    }

    /// Puts bytes into one page (`at` and what follows must not cross its end) and lengthens the file to hold them.
    fn put(&self, cx: &mut TaskContext, below: Below<'_>, at: u64, bytes: &[u8]) -> Result<(), Errno> {
        let page = self.page(cx, below, at / PAGE)?;
        page.write(offset_in_page(at), bytes);
        let mut pages = self.pages.lock(cx);
        pages.size = pages.size.max(at.saturating_add(bytes.len() as u64));
        Ok(())
    }

    /// Copies bytes from `at` on out of the file.
    pub(super) fn read(&self, cx: &mut TaskContext, below: Below<'_>, at: u64, into: &mut dyn Sink) -> Result<usize, Errno> {
        let total = into.remaining();
        let mut bytes = buffer::chunk(total)?;
        let mut done = 0;
        while into.remaining() > 0 {
            let Some(from) = at.checked_add(done as u64) else { break };
            let (length, part) = self.piece(cx, from, into.remaining());
            let Some(piece) = bytes.get_mut(..length).filter(|piece| !piece.is_empty()) else { break };
            let page = match part {
                Part::Own(page) => Ok(Some(page)),
                Part::Below => self.below(cx, below, from / PAGE),
                Part::Hole => Ok(None),
            };
            let step = page.and_then(|page| {
                match page {
                    Some(page) => page.read(offset_in_page(from), piece),
                    None => piece.fill(0),
                }
                into.put(cx, piece)
            });
            if let Err(error) = step {
                return buffer::partial(total.saturating_sub(into.remaining()), error);
            }
            done += length;
        }
        Ok(done)
    }

    /// Copies bytes into the file from `begin` on.
    pub(super) fn write(&self, cx: &mut TaskContext, below: Below<'_>, begin: u64, from: &mut dyn Source) -> Result<usize, Errno> {
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
            let before = from.remaining();
            let taken = from.take(cx, piece);
            let count = before.saturating_sub(from.remaining());
            // What came before a fault is written.
            let step = match piece.get(..count).filter(|came| !came.is_empty()) {
                Some(came) => self.put(cx, below, at, came),
                None => Ok(()),
            };
            done += if step.is_ok() { count } else { 0 };
            if let Err(error) = step.and(taken) {
                return buffer::partial(done, error);
            }
        }
        Ok(done)
    }

    /// Makes every page of a range exist.
    pub(super) fn reserve(&self, cx: &mut TaskContext, below: Below<'_>, range: Range<u64>, grow: bool) -> Result<(), Errno> {
        if range.end > SIZE_LIMIT {
            return Err(Errno::EFBIG);
        }
        if range.end.div_ceil(PAGE) - range.start / PAGE > self.volume.limit() {
            return Err(Errno::ENOSPC);
        }
        for index in range.start / PAGE..range.end.div_ceil(PAGE) {
            self.page(cx, below, index)?;
        }
        if grow {
            let mut pages = self.pages.lock(cx);
            pages.size = pages.size.max(range.end);
        }
        Ok(())
    }

    /// Cuts or extends the file. When it was cut: the first page that it does not have any more.
    pub(super) fn set_size(&self, cx: &mut TaskContext, below: Below<'_>, size: u64) -> Result<Option<u64>, Errno> {
        if size > SIZE_LIMIT {
            return Err(Errno::EFBIG);
        }
        self.own_edge(cx, below, size)?;
        let mut pages = self.pages.lock(cx);
        let cut = size < pages.size;
        pages.size = size;
        pages.below_end = pages.below_end.min(size);
        pages.is_begun = true;
        if !cut {
            return Ok(None);
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
        Ok(Some(size.div_ceil(PAGE)))
    }

    /// A page from below that is to lose a part of its bytes becomes this file's own.
    fn own_edge(&self, cx: &mut TaskContext, below: Below<'_>, at: u64) -> Result<(), Errno> {
        let is_below = !at.is_multiple_of(PAGE) && self.pages.lock(cx).is_below(at / PAGE);
        if is_below { self.page(cx, below, at / PAGE).map(|_| ()) } else { Ok(()) }
    }

    /// Whole pages from below in a range become pages of zeros, or the file below ends before them.
    fn hide_below(&self, cx: &mut TaskContext, from: u64, to: u64) -> Result<(), Errno> {
        let end = self.pages.lock(cx).below_end;
        if to >= end {
            let mut pages = self.pages.lock(cx);
            pages.below_end = pages.below_end.min(from.next_multiple_of(PAGE));
            return Ok(());
        }
        for index in from.div_ceil(PAGE)..to / PAGE {
            self.page(cx, None, index)?.clear(0, PAGE_BYTES);
        }
        Ok(())
    }

    /// Makes a range read as zeros; answers the pages that lie wholly in it, which the file gives up.
    pub(super) fn punch(&self, cx: &mut TaskContext, below: Below<'_>, from: u64, to: u64) -> Result<BTreeMap<u64, Page>, Errno> {
        if self.has_below(cx) {
            self.own_edge(cx, below, from)?;
            self.own_edge(cx, below, to)?;
            self.hide_below(cx, from, to)?;
        }
        let covered = self.pages.lock(cx).below_end;
        let mut pages = self.pages.lock(cx);
        let (first_whole, after_whole) = (from.div_ceil(PAGE), to / PAGE);
        let mut gone = BTreeMap::new();
        // Where the file below goes on behind the range, pages of zeros hide it and stay.
        let first_whole = if to < covered { after_whole } else { first_whole };
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
        Ok(gone)
    }

    /// The first byte at or after `from` that is in a page, here or below (or, with `hole`, in none); `None` when the file ends
    /// before.
    pub(super) fn next_data(&self, cx: &mut TaskContext, below: Below<'_>, from: u64, hole: bool) -> Option<u64> {
        let mut at = from;
        loop {
            let pages = self.pages.lock(cx);
            let (size, below_end) = (pages.size, pages.below_end.min(pages.size));
            let own = pages.next_own(at, hole);
            drop(pages);
            if at >= size {
                return if hole && from < size { Some(size) } else { None };
            }
            let lower = below.filter(|_| at < below_end);
            let there = lower.map(|lower| lower.as_node().next_data(cx, at, hole, below_end).filter(|there| *there < below_end));
            let there = there.map(|there| there.unwrap_or(if hole { below_end } else { u64::MAX }));
            match (hole, there) {
                (false, there) => return Some(own.min(there.unwrap_or(u64::MAX)).max(at)).filter(|found| *found < size),
                (true, None) => return Some(own.min(size)),
                // A hole is where both have one.
                (true, Some(there)) if own == at && there == at => return Some(at.min(size)),
                (true, Some(there)) => at = own.max(there),
            }
        }
    }
}

impl Pages {
    /// The first byte at or after `at` that is in a page of the file's own, or in none; without a page, beyond everything.
    fn next_own(&self, at: u64, hole: bool) -> u64 {
        if !hole {
            return self.present.range(at / PAGE..).next().map_or(u64::MAX, |(index, _)| at.max(index * PAGE));
        }
        let mut index = at / PAGE;
        for (&present, _) in self.present.range(index..) {
            if present != index {
                break;
            }
            index += 1;
        }
        at.max(index * PAGE)
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
