//! A port in ring mode: the submission ring, and the pages that the program maps.
//!
//! Invariant: one thread at a time takes from the submission ring: the one that may take completions.

use alloc::sync::Arc;

use abi::Errno;
use abi::native::{Completion, MOST_COMPLETIONS, MOST_SUBMISSIONS, RING_ENTRIES_AT, RingHeader, RingParams, Submission};
use libkernel::ipc::{CompletionRing, Finished, Layout, SharedMemory, SubmissionRing};
use libkernel::memory::Page;
use sync::{SpinLock, TaskContext, order};
use zerocopy::{FromZeros, IntoBytes};

use super::MemoryFile;
use super::port::Port;
use super::submit::Asker;
use crate::error::errno;

/// The submission ring, once there is one.
pub(super) struct Submissions(SpinLock<Option<SubmissionRing>, order::Port>);

impl Submissions {
    pub const fn none() -> Self {
        Self(SpinLock::new(None))
    }
}

const fn layout(entry_bytes: usize) -> Layout {
    Layout {
        head: core::mem::offset_of!(RingHeader, head),
        tail: core::mem::offset_of!(RingHeader, tail),
        mask: core::mem::offset_of!(RingHeader, mask),
        entries: RING_ENTRIES_AT,
        entry_bytes,
    }
}

/// A completion as programs see it.
pub fn completion(finished: &Finished) -> Completion {
    Completion { user_data: finished.user_data, result: finished.result, flags: 0, opcode: finished.opcode }
}

fn encode(finished: &Finished, write: &mut dyn FnMut(&[u8])) {
    write(completion(finished).as_bytes());
}

/// The sizes that a program gets for those it asked for: powers of two, not above the largest.
pub fn sizes(asked: RingParams) -> Result<(u32, u32), Errno> {
    let size = |asked: u32, most: u32| match asked {
        0 => Err(Errno::EINVAL),
        asked => Ok(asked.min(most).next_power_of_two()),
    };
    Ok((size(asked.submission_entries, MOST_SUBMISSIONS)?, size(asked.completion_entries, MOST_COMPLETIONS)?))
}

/// The two rings, before the port has them.
pub struct RingMode {
    submissions: SubmissionRing,
    completions: CompletionRing,
    pages: [Page; 2],
}

/// Rings of these sizes.
pub fn prepare(submissions: u32, completions: u32) -> Result<RingMode, Errno> {
    let pages = [Page::zeroed().map_err(errno)?, Page::zeroed().map_err(errno)?];
    let [asked, answered] = pages.clone();
    Ok(RingMode {
        submissions: SubmissionRing::new(asked, layout(size_of::<Submission>()), submissions),
        completions: CompletionRing::new(answered, layout(size_of::<Completion>()), completions, encode),
        pages,
    })
}

impl RingMode {
    /// Their pages, as files for the program.
    pub fn files(&self) -> [Arc<MemoryFile>; 2] {
        self.pages.clone().map(|page| Arc::new(MemoryFile(SharedMemory::of_page(page))))
    }
}

impl Port {
    /// Goes over to ring mode.
    pub fn set_up(&self, cx: &mut TaskContext, mode: RingMode) -> Result<(), Errno> {
        // A thread that waits in the other mode would never hear of a completion again.
        let _taker = self.core().taker().map_err(errno)?;
        let mut submissions = self.submissions.0.lock(cx);
        self.core().set_ring(cx, mode.completions).map_err(errno)?;
        *submissions = Some(mode.submissions);
        Ok(())
    }

    /// Begins what stands in the submission ring, at most so many. The caller may take completions.
    pub fn submit_from_ring(&self, cx: &mut TaskContext, asker: &Asker<'_>, most: u32) -> Result<(), Errno> {
        let waiting = self.with_ring(cx, |ring| ring.waiting().map_err(errno))?;
        for _ in 0..waiting.min(most) {
            let mut entry = Submission::new_zeroed();
            self.with_ring(cx, |ring| {
                ring.first(entry.as_mut_bytes());
                Ok(())
            })?;
            if !self.submit(cx, asker, &entry) {
                return Ok(());
            }
            self.with_ring(cx, |ring| {
                ring.advance();
                Ok(())
            })?;
        }
        Ok(())
    }

    fn with_ring<R>(&self, cx: &TaskContext, act: impl FnOnce(&mut SubmissionRing) -> Result<R, Errno>) -> Result<R, Errno> {
        self.submissions.0.lock(cx).as_mut().ok_or(Errno::EINVAL).and_then(act)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_powers_of_two_within_a_page() {
        let asked =
            |submission_entries, completion_entries| sizes(RingParams { submission_entries, completion_entries, ..RingParams::default() });
        assert_eq!(asked(1, 1), Ok((1, 1)));
        assert_eq!(asked(33, 65), Ok((64, 128)));
        assert_eq!(asked(u32::MAX, u32::MAX), Ok((64, 128)));
        assert_eq!(asked(0, 1), Err(Errno::EINVAL));
        assert_eq!(asked(1, 0), Err(Errno::EINVAL));
    }
}
