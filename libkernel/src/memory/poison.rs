//! Free frames hold a pattern: whoever still writes to one, through an entry that a CPU remembers or a pointer that was
//! kept, is found when it is taken.
//!
//! Invariant: only in kernels with debug assertions; there a frame whose last owner is known holds the pattern from when it
//! is given back until it is taken.

use super::frames::Owner;
use machine::addr::{Frame, PAGE_SIZE};
use machine::physical;
use sync::Published;

/// No address of the kernel's or of a program's, no instruction that does anything.
const PATTERN: u64 = 0xdead_f4a3_dead_f4a3;
const WORDS: usize = PAGE_SIZE / 8;

/// Who had a frame last: of use only while it is free.
pub(super) struct LastOwner(Published<u8>);

impl LastOwner {
    pub(super) const fn nobody() -> Self {
        LastOwner(Published::<u8>::new(Owner::Nobody as u8))
    }

    /// The frame is given back by `owner`, and nobody has it yet.
    pub(super) fn leaves(&self, frame: Frame, owner: Owner) {
        if cfg!(debug_assertions) {
            physical::copy_to(frame.start(), PATTERN_BYTES.as_flattened());
            self.0.store(owner as u8);
        }
    }

    /// The frame was free, and is somebody's now.
    #[track_caller]
    pub(super) fn check(&self, frame: Frame) {
        if cfg!(debug_assertions) && self.0.load() != Owner::Nobody as u8 {
            check(frame, self.0.load());
        }
    }
}

const PATTERN_BYTES: [[u8; 8]; WORDS] = [PATTERN.to_le_bytes(); WORDS];

#[track_caller]
fn check(frame: Frame, last: u8) {
    let mut words = [0_u8; 512];
    for part in 0..PAGE_SIZE / words.len() {
        physical::copy_from(frame.start() + (part * words.len()) as u64, &mut words);
        if words == PATTERN_BYTES.as_flattened()[..words.len()] {
            continue;
        }
        let at = words.iter().zip(PATTERN_BYTES.as_flattened()).position(|(found, pattern)| found != pattern).unwrap_or(0);
        let found = &words[at / 8 * 8..at / 8 * 8 + 8];
        panic!(
            "frame {:#x} was changed after it was given back: byte {} on is {found:02x?}; its last owner was {}",
            frame.number(),
            part * words.len() + at / 8 * 8,
            Owner::name(last)
        );
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Page, on_host};
    use machine::physical;

    #[test]
    fn a_page_that_is_written_after_it_was_given_back_is_found_when_it_is_taken() {
        let _alone = on_host::alone();
        let page = Page::zeroed().unwrap();
        let at = page.physical();
        drop(page);
        let before = physical::read::<u8>(at + 77);
        physical::write(at + 77, 1_u8);
        // The frame given back last is the first to be taken.
        let found = std::panic::catch_unwind(Page::zeroed);
        physical::write(at + 77, before);
        let message = found.expect_err("nobody found it");
        let message = message.downcast_ref::<std::string::String>().unwrap();
        assert!(message.contains("was changed after it was given back: byte 72") && message.contains("Page"), "{message}");
    }
}
