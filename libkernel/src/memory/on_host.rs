//! Frames and a kernel root for tests, out of the host's array.
//!
//! Invariant: started once per process; the tests that take frames run one at a time, so that one that takes all of
//! them disturbs no other.

use super::frames::{self, TableFrames};
use super::kernel_map;
use machine::addr::{PAGE_SIZE, PhysAddr};
use machine::paging::FrameSource;
use machine::physical::RAM_BYTES;
use std::sync::{Mutex, MutexGuard, Once, PoisonError};

static START: Once = Once::new();
static ALONE: Mutex<()> = Mutex::new(());

/// There is memory, and no other test takes any, as long as the guard is there.
pub(crate) fn alone() -> MutexGuard<'static, ()> {
    START.call_once(start);
    ALONE.lock().unwrap_or_else(PoisonError::into_inner)
}

#[allow(unsafe_code)]
fn start() {
    let frame_count = (RAM_BYTES / PAGE_SIZE as u64) as usize;
    let place = PhysAddr::new(PAGE_SIZE as u64);
    // SAFETY: the array belongs to this process's tests, and only frames behind the records are given out.
    unsafe { frames::start(frame_count, place) };
    frames::add(place.as_u64() + frames::bookkeeping_bytes(frame_count) as u64..RAM_BYTES);
    let Some(root) = TableFrames.take() else { panic!("no frame for a root") };
    kernel_map::initialise(root);
}
