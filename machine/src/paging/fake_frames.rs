//! Frames for tests, out of the lower half of the host's RAM.
//!
//! Invariant: no two tests have the same frame at one time; a frame is given back at most once.

use super::table::FrameSource;
use crate::addr::{Frame, PhysAddr};
use crate::physical;
use std::collections::BTreeSet;
use std::sync::{Mutex, PoisonError};
use std::vec::Vec;

struct Pool {
    free: Vec<PhysAddr>,
    next: u64,
}

static POOL: Mutex<Pool> = Mutex::new(Pool { free: Vec::new(), next: 1 });

impl Pool {
    fn take(&mut self) -> PhysAddr {
        self.free.pop().unwrap_or_else(|| {
            let frame = Frame::new(self.next).start();
            assert!(frame.as_u64() < physical::RAM_BYTES / 2, "the tests need more RAM than the host gives");
            self.next += 1;
            frame
        })
    }
}

pub struct FakeFrames {
    pub taken: BTreeSet<PhysAddr>,
    /// So many more may be taken.
    pub left: usize,
}

impl FakeFrames {
    pub fn new() -> Self {
        FakeFrames { taken: BTreeSet::new(), left: usize::MAX }
    }
}

impl Drop for FakeFrames {
    fn drop(&mut self) {
        POOL.lock().unwrap_or_else(PoisonError::into_inner).free.extend(&self.taken);
    }
}

impl FrameSource for FakeFrames {
    fn take(&mut self) -> Option<PhysAddr> {
        self.left = self.left.checked_sub(1)?;
        let frame = POOL.lock().unwrap_or_else(PoisonError::into_inner).take();
        physical::zero_frame(Frame::containing(frame));
        self.taken.insert(frame);
        Some(frame)
    }

    fn give(&mut self, frame: PhysAddr) {
        assert!(self.taken.remove(&frame), "{frame:?} was given back and not taken");
        POOL.lock().unwrap_or_else(PoisonError::into_inner).free.push(frame);
    }
}
