//! A counted share of one frame of memory.
//!
//! Invariant: the frame goes back to the allocator exactly when its last `Page` is dropped.

use super::frames::{self, Owner};
use crate::error::KernelError;
use machine::addr::{Frame, PAGE_SIZE, PhysAddr};
use machine::physical;

#[derive(Debug)]
pub struct Page(Frame);

impl Page {
    /// All bytes are 0.
    pub fn zeroed() -> Result<Page, KernelError> {
        let page = Page::uninitialised()?;
        physical::zero_frame(page.0);
        Ok(page)
    }

    /// The bytes are whatever was there: the caller writes all of them before a program can see any.
    pub fn uninitialised() -> Result<Page, KernelError> {
        let frame = frames::take(Owner::Page).ok_or(KernelError::NoMemory)?;
        frames::references(frame).set(1);
        Ok(Page(frame))
    }

    /// Copies from byte `offset` on; what lies beyond the page is not there to be asked for.
    pub fn read(&self, offset: usize, into: &mut [u8]) {
        assert!(into.len() <= PAGE_SIZE.saturating_sub(offset), "a read beyond the end of a page");
        physical::copy_from(self.at(offset), into);
    }

    pub fn write(&self, offset: usize, bytes: &[u8]) {
        assert!(bytes.len() <= PAGE_SIZE.saturating_sub(offset), "a write beyond the end of a page");
        physical::copy_to(self.at(offset), bytes);
    }

    /// A word that others may write at the same time: what they wrote before it is seen after it.
    pub fn load(&self, offset: usize) -> u32 {
        assert!(offset <= PAGE_SIZE - 4, "a word beyond the end of a page");
        physical::load_u32(self.at(offset))
    }

    /// Writes one: who reads it then sees what was written before it.
    pub fn store(&self, offset: usize, value: u32) {
        assert!(offset <= PAGE_SIZE - 4, "a word beyond the end of a page");
        physical::store_u32(self.at(offset), value);
    }

    /// Bytes from `offset` to `offset + length` become 0.
    pub fn clear(&self, offset: usize, length: usize) {
        const ZEROES: [u8; 256] = [0; 256];
        let end = offset.saturating_add(length).min(PAGE_SIZE);
        let mut at = offset;
        while at < end {
            let part = (end - at).min(ZEROES.len());
            self.write(at, &ZEROES[..part]);
            at += part;
        }
    }

    pub fn copy_from(&self, other: &Page) {
        physical::copy_frame(other.0, self.0);
    }

    /// How many share the frame now. 1 means: only this `Page`.
    pub fn reference_count(&self) -> u32 {
        frames::references(self.0).get()
    }

    pub fn physical(&self) -> PhysAddr {
        self.0.start()
    }

    /// Do both share one frame?
    pub fn is_same(&self, other: &Page) -> bool {
        self.0 == other.0
    }

    fn at(&self, offset: usize) -> PhysAddr {
        PhysAddr::new(self.physical().as_u64() + offset as u64)
    }

    /// Gives the share away as a number, to stand in a page table; `from_raw` makes it a share again.
    pub fn into_raw(self) -> PhysAddr {
        let at = self.physical();
        core::mem::forget(self);
        at
    }

    /// # Safety
    /// `at` came from `into_raw`, and no other `Page` was made of that call's share.
    #[allow(unsafe_code)]
    pub unsafe fn from_raw(at: PhysAddr) -> Page {
        Page(Frame::new(at.as_u64() / PAGE_SIZE as u64))
    }

    /// Another share of the page that `at` stands for, whose own share stays where it is.
    ///
    /// # Safety
    /// `at` came from `into_raw`, and that share is not given back during the call.
    #[allow(unsafe_code)]
    pub unsafe fn share_raw(at: PhysAddr) -> Page {
        let frame = Frame::new(at.as_u64() / PAGE_SIZE as u64);
        frames::references(frame).increment();
        Page(frame)
    }
}

impl Clone for Page {
    fn clone(&self) -> Self {
        frames::references(self.0).increment();
        Page(self.0)
    }
}

impl Drop for Page {
    fn drop(&mut self) {
        if frames::references(self.0).decrement() {
            frames::give(self.0, Owner::Page);
        }
    }
}

#[cfg(test)]
#[path = "page_tests.rs"]
mod tests;
