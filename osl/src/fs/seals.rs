//! What a file in memory refuses from now on (`F_ADD_SEALS` in man 2 fcntl).
//!
//! Invariant: seals are only added; a file that is sealed against writing has no shared mapping through which it could be written,
//! because both stand in one word and each looks at the other in the step that changes it.

use alloc::sync::Arc;

use abi::Errno;
use abi::constant::{F_SEAL_EXEC, F_SEAL_FUTURE_WRITE, F_SEAL_GROW, F_SEAL_SEAL, F_SEAL_SHRINK, F_SEAL_WRITE};
use sync::Published;

const ALL: u32 = F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE | F_SEAL_FUTURE_WRITE | F_SEAL_EXEC;
const NO_WRITING: u32 = F_SEAL_WRITE | F_SEAL_FUTURE_WRITE;
/// One mapping that may write, in the word's upper half; the seals are the lower one.
const MAPPING: u64 = 1 << 32;

/// The seals of one file, and how many shared mappings may write to it.
pub struct Seals(Arc<Published<u64>>);

/// A shared mapping through which the file may be written, as long as this lives.
pub struct WritableMapping(Arc<Published<u64>>);

impl Seals {
    pub fn new(seals: u32) -> Self {
        Self(Arc::new(Published::<u64>::new(u64::from(seals))))
    }

    /// Of a new file that nobody knows yet.
    pub fn begin_with(&self, seals: u32) {
        self.0.store(u64::from(seals));
    }

    pub fn get(&self) -> u32 {
        seals_of(self.0.load())
    }

    /// Called with the file's writers locked out. `EPERM` when it takes no more seals, `EBUSY` when a mapping may still write.
    pub fn add(&self, seals: u32, may_execute: bool) -> Result<(), Errno> {
        if seals & !ALL != 0 {
            return Err(Errno::EINVAL);
        }
        // A program that cannot become executable any more must not change either.
        let also = if seals & F_SEAL_EXEC != 0 && may_execute { F_SEAL_SHRINK | F_SEAL_GROW | NO_WRITING } else { 0 };
        let mut before = self.0.load();
        loop {
            if seals_of(before) & F_SEAL_SEAL != 0 {
                return Err(Errno::EPERM);
            }
            if (seals | also) & F_SEAL_WRITE & !seals_of(before) != 0 && before >= MAPPING {
                return Err(Errno::EBUSY);
            }
            match self.0.compare_exchange(before, before | u64::from(seals | also)) {
                Ok(_) => return Ok(()),
                Err(actual) => before = actual,
            }
        }
    }

    /// A shared mapping by who opened the file for writing.
    pub fn map_for_writing(&self) -> Result<WritableMapping, Errno> {
        let mut before = self.0.load();
        loop {
            if seals_of(before) & NO_WRITING != 0 {
                return Err(Errno::EPERM);
            }
            match self.0.compare_exchange(before, before + MAPPING) {
                Ok(_) => return Ok(WritableMapping(self.0.clone())),
                Err(actual) => before = actual,
            }
        }
    }

    /// May bytes be written, the file having `size` bytes and `end` after it?
    pub fn check_write(&self, size: u64, end: u64) -> Result<(), Errno> {
        self.refuses(NO_WRITING)?;
        if end > size { self.refuses(F_SEAL_GROW) } else { Ok(()) }
    }

    pub fn check_resize(&self, from: u64, to: u64) -> Result<(), Errno> {
        match to {
            _ if to < from => self.refuses(F_SEAL_SHRINK),
            _ if to > from => self.refuses(F_SEAL_GROW),
            _ => Ok(()),
        }
    }

    /// May a range be made zero?
    pub fn check_punch(&self) -> Result<(), Errno> {
        self.refuses(NO_WRITING)
    }

    /// May the permission bits change from the one to the other?
    pub fn check_mode(&self, from: u32, to: u32) -> Result<(), Errno> {
        const EXECUTE: u32 = 0o111;
        if (from ^ to) & EXECUTE != 0 { self.refuses(F_SEAL_EXEC) } else { Ok(()) }
    }

    fn refuses(&self, seals: u32) -> Result<(), Errno> {
        if self.get() & seals != 0 { Err(Errno::EPERM) } else { Ok(()) }
    }
}

fn seals_of(word: u64) -> u32 {
    u32::try_from(word & (MAPPING - 1)).unwrap_or(u32::MAX)
}

impl Drop for WritableMapping {
    fn drop(&mut self) {
        self.0.fetch_sub(MAPPING);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_sealed_against_writing_only_without_mappings_that_write() {
        let seals = Seals::new(0);
        let mapping = seals.map_for_writing().ok();
        assert_eq!(seals.add(F_SEAL_WRITE, false), Err(Errno::EBUSY));
        assert_eq!(seals.add(F_SEAL_FUTURE_WRITE | F_SEAL_SHRINK, false), Ok(()));
        assert_eq!(seals.map_for_writing().err(), Some(Errno::EPERM));
        drop(mapping);
        assert_eq!(seals.add(F_SEAL_WRITE | F_SEAL_SEAL, false), Ok(()));
        assert_eq!(seals.add(F_SEAL_GROW, false), Err(Errno::EPERM));
        assert_eq!(seals.check_resize(5, 4), Err(Errno::EPERM));
        assert_eq!(seals.check_resize(4, 5), Ok(()));
    }
}
