//! A disk, read by the byte: what was read stays for a while.
//!
//! Invariant: bytes beyond the end of the disk are never asked for and never shown.

use alloc::sync::Arc;

use abi::Errno;
use libkernel::device::{self, BLOCK_BYTES, BlockDevice, MAXIMUM_BLOCK_DEVICES};
use libkernel::memory::Page;
use libkernel::memory::frames::{self, Shortage};
use sync::{Once, TaskContext};

use super::page_cache::PageCache;
use crate::error::errno;

/// Bytes of a page.
pub const PAGE: u64 = 4096;
/// What is read ahead, in pages.
pub const AHEAD: u64 = 8;
/// The disk's own pages among those of its files: no file has this number.
const DISK_ITSELF: u64 = 0;

/// A disk and the pages that were read of it.
pub struct Disk {
    device: &'static dyn BlockDevice,
    pages: Arc<PageCache>,
}

static DISKS: [Once<Arc<Disk>>; MAXIMUM_BLOCK_DEVICES] = [const { Once::new() }; MAXIMUM_BLOCK_DEVICES];

/// The machine's disk of that number.
pub fn get(cx: &TaskContext, number: usize) -> Option<Arc<Disk>> {
    let slot = DISKS.get(number)?;
    if let Some(disk) = slot.get() {
        return Some(disk.clone());
    }
    let device = device::block_devices().nth(number)?;
    Some(slot.get_or_set(Arc::new(Disk::new(cx, device))).clone())
}

impl Disk {
    fn new(cx: &TaskContext, device: &'static dyn BlockDevice) -> Self {
        Self { device, pages: PageCache::new(cx) }
    }

    /// Its length in bytes.
    pub fn length(&self) -> u64 {
        self.device.length()
    }

    /// Fills `into` with the bytes from `at` on; `EIO` when not all of them are on the disk.
    pub fn read(&self, cx: &mut TaskContext, at: u64, into: &mut [u8]) -> Result<(), Errno> {
        let end = at.checked_add(into.len() as u64).filter(|end| *end <= self.length());
        end.ok_or(Errno::EIO)?;
        let mut at = at;
        let mut rest = into;
        while !rest.is_empty() {
            let offset = usize::try_from(at % PAGE).unwrap_or(0);
            let length = rest.len().min(PAGE as usize - offset);
            let (now, later) = rest.split_at_mut(length);
            self.page(cx, at / PAGE)?.read(offset, now);
            at += length as u64;
            rest = later;
        }
        Ok(())
    }

    fn page(&self, cx: &mut TaskContext, index: u64) -> Result<Page, Errno> {
        if let Some(page) = self.pages.get(cx, (DISK_ITSELF, index)) {
            return Ok(page);
        }
        let left = self.length().saturating_sub(index * PAGE);
        let ahead = (AHEAD - index % AHEAD) * PAGE;
        let mut wanted = None;
        let mut number = index;
        self.read_pages(cx, index * PAGE, left.min(ahead), &mut |cx, page| {
            let page = self.pages.keep(cx, (DISK_ITSELF, number), page);
            wanted.get_or_insert(page);
            number += 1;
        })?;
        wanted.ok_or(Errno::EIO)
    }

    /// Reads from the device itself into new pages, each of which `take` gets; the last one is filled up with zeros. Only the
    /// first page is sure to come: the others would be for later.
    pub fn read_pages(&self, cx: &mut TaskContext, at: u64, length: u64, take: &mut dyn FnMut(&TaskContext, Page)) -> Result<(), Errno> {
        let wanted = if frames::shortage() >= Shortage::Near { length.min(PAGE) } else { length };
        let mut fresh = alloc::vec::Vec::new();
        for _ in 0..wanted.div_ceil(PAGE) {
            match Page::uninitialised() {
                Ok(page) => fresh.push(page),
                Err(error) if fresh.is_empty() => return Err(errno(error)),
                Err(_) => break,
            }
        }
        let wanted = usize::try_from(wanted.min(fresh.len() as u64 * PAGE)).map_err(|_| Errno::EIO)?;
        let asked = wanted.next_multiple_of(BLOCK_BYTES as usize);
        let mut filled = 0;
        let read = self.device.read(cx, at, asked, &mut |bytes| {
            for piece in bytes.chunks(PAGE as usize) {
                if let Some(page) = fresh.get(filled / PAGE as usize) {
                    page.write(0, piece);
                    page.clear(piece.len(), PAGE as usize - piece.len());
                }
                filled += piece.len();
            }
        });
        read.map_err(|_| Errno::EIO)?;
        fresh.into_iter().for_each(|page| take(cx, page));
        Ok(())
    }
}
