//! Who has written to a CPU, and whether it looks by itself: one that waits for something anyway needs no interrupt.
//!
//! Invariant: who writes is entered before it asks whether the owner listens, and an owner that stops listening says so before
//! it looks for the last time, each with a full barrier between: so one of the two sees the other. Only the owner takes
//! writers out.

use sync::twin::{self, Twin};
use sync::{CpuId, CpuMask, CpuSet, Flag, fence_full};

#[repr(align(64))]
pub struct Mailbox {
    writers: CpuMask,
    is_listening: Flag,
}

impl Mailbox {
    sync::const_unless_loom! {
        pub const fn new() -> Self {
            Mailbox { writers: CpuMask::new(CpuSet::EMPTY), is_listening: Flag::new(false) }
        }
    }

    /// `writer` has written. Must the owner be interrupted to hear of it?
    #[must_use]
    pub fn post(&self, writer: CpuId) -> bool {
        self.writers.insert(writer);
        fence_full();
        !self.is_listening.is_set()
    }

    /// Calls `read` with each that has written; by then it may write again. On the owner, with interrupts off.
    pub fn look(&self, mut read: impl FnMut(CpuId)) {
        for writer in self.writers.load() {
            self.writers.remove(writer);
            read(writer);
        }
    }

    pub fn has_mail(&self) -> bool {
        !self.writers.load().is_empty()
    }

    /// From now on until `stop`, the owner looks again and again.
    pub fn listen(&self) {
        self.is_listening.set();
    }

    /// Interrupts are needed again; looks for the last time.
    pub fn stop(&self, read: impl FnMut(CpuId)) {
        if twin::is(Twin::LooksBeforeDeaf) {
            self.look(read);
            self.is_listening.clear();
            return;
        }
        self.is_listening.clear();
        fence_full();
        self.look(read);
    }
}
