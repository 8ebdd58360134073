//! A page that a program writes to as well: words, each as weakly ordered as memory is.

use crate::explore::atomic::{AtomicU32, Ordering};
use std::sync::Arc;

/// As many words as the rings of a model have.
const WORDS: usize = 12;

#[derive(Clone)]
pub struct Page(Arc<[AtomicU32; WORDS]>);

impl Page {
    pub fn zeroed() -> Self {
        Page(Arc::new(std::array::from_fn(|_| AtomicU32::new(0))))
    }

    /// What is not a word of the page is a panic, as in the kernel.
    fn word(&self, offset: usize) -> &AtomicU32 {
        assert!(offset.is_multiple_of(4) && offset / 4 < WORDS, "a word beyond the end of a page");
        &self.0[offset / 4]
    }

    pub fn read(&self, offset: usize, into: &mut [u8]) {
        for (number, part) in into.chunks_exact_mut(4).enumerate() {
            part.copy_from_slice(&self.word(offset + 4 * number).load(Ordering::Relaxed).to_le_bytes());
        }
    }

    pub fn write(&self, offset: usize, bytes: &[u8]) {
        for (number, part) in bytes.chunks_exact(4).enumerate() {
            let value = part.iter().rev().fold(0, |value, &byte| value << 8 | u32::from(byte));
            self.word(offset + 4 * number).store(value, Ordering::Relaxed);
        }
    }

    pub fn load(&self, offset: usize) -> u32 {
        self.word(offset).load(Ordering::Acquire)
    }

    pub fn store(&self, offset: usize, value: u32) {
        self.word(offset).store(value, Ordering::Release);
    }
}
