//! A port's rings, as its program sees them.

use std::sync::atomic::{AtomicU32, Ordering};

use crate::process::close_all;
use crate::{Completion, RingParams, Submission, done, must_equal, port, setup_rings};

pub const HEAD: usize = 0;
pub const TAIL: usize = 4;
const ENTRIES: usize = 64;

/// A port in ring mode, as its program sees it.
pub struct Rings {
    pub port: i32,
    pub params: RingParams,
    /// Where the pages are mapped.
    pub submissions: usize,
    pub completions: usize,
}

fn map(fd: i32) -> usize {
    done("mmap", linux_tests::memory::map(0, 4096, linux_tests::memory::READ_WRITE, libc::MAP_SHARED, fd, 0))
}

pub fn word(at: usize) -> &'static AtomicU32 {
    // SAFETY: a word of a ring's page, which stays mapped as long as it is used.
    unsafe { &*(at as *const AtomicU32) }
}

impl Rings {
    pub fn new(submissions: u32, completions: u32) -> Self {
        let port = port();
        let mut params = RingParams { submissions, completions, ..RingParams::default() };
        must_equal("io_setup_rings", setup_rings(port, &mut params), Ok(0));
        Rings { port, params, submissions: map(params.submission_fd), completions: map(params.completion_fd) }
    }

    /// There must be room.
    pub fn push(&self, entry: Submission) {
        let tail = word(self.submissions + TAIL).load(Ordering::Relaxed);
        let place = self.submissions + ENTRIES + (tail & (self.params.submissions - 1)) as usize * size_of::<Submission>();
        // SAFETY: an entry of the ring's page that the kernel does not look at before the tail says so.
        unsafe { (place as *mut Submission).write_volatile(entry) };
        word(self.submissions + TAIL).store(tail.wrapping_add(1), Ordering::Release);
    }

    /// How many of those that were pushed the kernel has not taken yet: a port that is full takes none.
    pub fn waiting(&self) -> u32 {
        let tail = word(self.submissions + TAIL).load(Ordering::Relaxed);
        tail.wrapping_sub(word(self.submissions + HEAD).load(Ordering::Acquire))
    }

    pub fn pop(&self) -> Option<Completion> {
        let head = word(self.completions + HEAD).load(Ordering::Relaxed);
        if head == word(self.completions + TAIL).load(Ordering::Acquire) {
            return None;
        }
        let place = self.completions + ENTRIES + (head & (self.params.completions - 1)) as usize * size_of::<Completion>();
        // SAFETY: an entry of the ring's page that the kernel does not write before the head says so.
        let entry = unsafe { (place as *const Completion).read_volatile() };
        word(self.completions + HEAD).store(head.wrapping_add(1), Ordering::Release);
        Some(entry)
    }

    /// What has completed, each by its number and its result.
    pub fn all(&self) -> Vec<(u64, i64)> {
        std::iter::from_fn(|| self.pop()).map(|one| (one.user_data, one.result)).collect()
    }

    pub fn close(self) {
        for at in [self.submissions, self.completions] {
            done("munmap", linux_tests::memory::unmap(at, 4096));
        }
        close_all(&[self.port, self.params.submission_fd, self.params.completion_fd]);
    }
}
