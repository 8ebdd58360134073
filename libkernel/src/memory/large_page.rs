//! 2 MiB in a row, for one entry of a page table.
//!
//! Invariant: it owns a share of each of its frames, so that it can become as many pages without anybody's help; whoever
//! has another share of one gives it back before the large page's space is edited.

use super::frames::{self, Owner};
use machine::addr::{Frame, PAGE_SIZE, PhysAddr};
use machine::physical;
use sync::Counter;

const ORDER: usize = 9;
pub const FRAMES: usize = 1 << ORDER;
pub const LARGE_BYTES: u64 = (FRAMES * PAGE_SIZE) as u64;

/// In page tables, of all spaces.
pub static MAPPED: Counter = Counter::new(0);

#[derive(Debug)]
pub struct LargePage(Frame);

impl LargePage {
    /// All bytes are 0. `None` when memory is short, or in pieces.
    pub fn zeroed() -> Option<LargePage> {
        let page = LargePage(frames::take_large(ORDER)?);
        for frame in page.frames() {
            frames::references(frame).set(1);
            physical::zero_frame(frame);
        }
        Some(page)
    }

    pub fn physical(&self) -> PhysAddr {
        self.0.start()
    }

    /// Gives the shares away as a number, to stand in a page table; `from_raw`, or `Page::from_raw` for each frame, makes
    /// them shares again.
    pub fn into_raw(self) -> PhysAddr {
        let at = self.physical();
        core::mem::forget(self);
        at
    }

    /// # Safety
    /// `at` came from `into_raw`, and nothing else was made of that call's shares.
    #[allow(unsafe_code)]
    pub unsafe fn from_raw(at: PhysAddr) -> LargePage {
        LargePage(Frame::containing(at))
    }

    fn frames(&self) -> impl Iterator<Item = Frame> + use<> {
        let first = self.0.number();
        (first..first + FRAMES as u64).map(Frame::new)
    }
}

impl Drop for LargePage {
    fn drop(&mut self) {
        let mut was_last = [false; FRAMES];
        for (frame, was_last) in self.frames().zip(&mut was_last) {
            *was_last = frames::references(frame).decrement();
        }
        if was_last.iter().all(|last| *last) {
            return frames::give_run(self.0, ORDER, Owner::Page);
        }
        self.frames().zip(was_last).filter(|(_, last)| *last).for_each(|(frame, _)| frames::give(frame, Owner::Page));
    }
}
