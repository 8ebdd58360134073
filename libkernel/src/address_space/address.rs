//! Addresses of programs: numbers that have been checked, or not yet.
//!
//! Invariant: a `Span` is not empty, begins and ends on a page, and lies in the user half.

use crate::error::KernelError;
use core::ops::Range;
use machine::addr::{PAGE_SIZE, VirtAddr};

pub const PAGE: u64 = PAGE_SIZE as u64;
/// The first address that no program can have.
pub const USER_END: u64 = crate::thread::registers::USER_END;
/// Nothing is mapped below: so a null pointer, with an index, hits nothing.
pub const LOWEST: u64 = 0x1_0000;

/// An address as a program gave it. Nothing is known about it.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default)]
#[repr(transparent)]
pub struct UserAddress(u64);

impl UserAddress {
    pub const fn new(address: u64) -> Self {
        UserAddress(address)
    }

    pub const fn as_u64(self) -> u64 {
        self.0
    }

    pub const fn is_null(self) -> bool {
        self.0 == 0
    }

    pub const fn checked_add(self, bytes: u64) -> Option<Self> {
        match self.0.checked_add(bytes) {
            Some(sum) => Some(UserAddress(sum)),
            None => None,
        }
    }

    /// Do `bytes` bytes from here lie in the user half? Whether anything is mapped there is another matter.
    pub(super) const fn holds(self, bytes: u64) -> bool {
        match self.0.checked_add(bytes) {
            Some(end) => end <= USER_END,
            None => false,
        }
    }
}

/// Whole pages of the user half.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Span {
    pub start: u64,
    pub end: u64,
}

impl Span {
    /// `length` is rounded up to whole pages; `start` must begin one.
    pub fn new(start: UserAddress, length: u64) -> Result<Span, KernelError> {
        let start = start.as_u64();
        let length = length.checked_next_multiple_of(PAGE).ok_or(KernelError::Invalid)?;
        if !start.is_multiple_of(PAGE) || length == 0 {
            return Err(KernelError::Invalid);
        }
        match start.checked_add(length) {
            Some(end) if end <= USER_END => Ok(Span { start, end }),
            _ => Err(KernelError::NoMemory),
        }
    }

    pub const fn bytes(self) -> u64 {
        self.end - self.start
    }

    pub const fn range(self) -> Range<u64> {
        self.start..self.end
    }

    pub const fn overlaps(self, other: Span) -> bool {
        self.start < other.end && other.start < self.end
    }
}

pub(super) const fn page_of(address: u64) -> VirtAddr {
    VirtAddr::new(address).page_start()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_span_never_wraps_and_never_leaves_the_user_half() {
        let span = |start, length| Span::new(UserAddress::new(start), length);
        assert_eq!(span(PAGE, 1), Ok(Span { start: PAGE, end: 2 * PAGE }));
        assert_eq!(span(USER_END - PAGE, PAGE), Ok(Span { start: USER_END - PAGE, end: USER_END }));
        assert_eq!(span(USER_END - PAGE, PAGE + 1), Err(KernelError::NoMemory));
        assert_eq!(span(u64::MAX - PAGE + 1, PAGE), Err(KernelError::NoMemory));
        assert_eq!(span(PAGE, u64::MAX), Err(KernelError::Invalid));
        assert_eq!(span(PAGE + 1, PAGE), Err(KernelError::Invalid));
        assert_eq!(span(PAGE, 0), Err(KernelError::Invalid));
    }

    #[test]
    fn bytes_that_touch_the_kernel_half_are_not_held() {
        assert!(UserAddress::new(USER_END - 8).holds(8));
        assert!(!UserAddress::new(USER_END - 8).holds(9));
        assert!(!UserAddress::new(u64::MAX).holds(1));
        assert!(!UserAddress::new(0xffff_8000_0000_0000).holds(0));
    }
}
