//! Addresses: physical, virtual, and the numbers of frames.
//!
//! Invariant: the kinds do not mix; a virtual address becomes a physical one by a walk through tables only.

use core::fmt;
use core::ops::{Add, Sub};

pub const PAGE_SHIFT: u32 = 12;
pub const PAGE_SIZE: usize = 1 << PAGE_SHIFT;

macro_rules! address {
    ($(#[$meta:meta])* $name:ident, $letter:literal) => {
        $(#[$meta])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
        #[repr(transparent)]
        pub struct $name(u64);

        impl $name {
            pub const fn new(address: u64) -> Self {
                $name(address)
            }

            pub const fn as_u64(self) -> u64 {
                self.0
            }

            /// Where its page begins.
            pub const fn page_start(self) -> Self {
                self.align_down(PAGE_SIZE as u64)
            }

            /// `to` is a power of two.
            pub const fn align_down(self, to: u64) -> Self {
                $name(self.0 & !(to - 1))
            }

            pub const fn is_aligned(self, to: u64) -> bool {
                self.0 & (to - 1) == 0
            }

            /// `None` when that is no address any more.
            pub const fn checked_add(self, bytes: u64) -> Option<Self> {
                match self.0.checked_add(bytes) {
                    Some(sum) => Some($name(sum)),
                    None => None,
                }
            }
        }

        impl Add<u64> for $name {
            type Output = Self;

            fn add(self, bytes: u64) -> Self {
                $name(self.0 + bytes)
            }
        }

        impl Sub<$name> for $name {
            type Output = u64;

            fn sub(self, other: $name) -> u64 {
                self.0 - other.0
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(formatter, concat!($letter, ":{:#x}"), self.0)
            }
        }
    };
}

address! {
    /// What the memory bus sees.
    PhysAddr, "physical"
}
address! {
    /// What an instruction sees.
    VirtAddr, "virtual"
}

impl VirtAddr {
    /// The place in the table of `level` (4 is the root, 1 the last) that translates this address.
    pub const fn index(self, level: u32) -> usize {
        (self.0 >> (PAGE_SHIFT + 9 * (level - 1))) as usize & 511
    }
}

/// A page of RAM, by number.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
#[repr(transparent)]
pub struct Frame(u64);

impl Frame {
    pub const fn new(number: u64) -> Self {
        Frame(number)
    }

    pub const fn containing(address: PhysAddr) -> Self {
        Frame(address.as_u64() >> PAGE_SHIFT)
    }

    pub const fn number(self) -> u64 {
        self.0
    }

    pub const fn start(self) -> PhysAddr {
        PhysAddr(self.0 << PAGE_SHIFT)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_indices_of_an_address_put_together_are_its_page() {
        let address = VirtAddr::new(0xffff_9234_5678_9abc);
        let together = (1..=4).fold(0, |sum, level| sum | (address.index(level) as u64) << (12 + 9 * (level - 1)));
        assert_eq!(together, 0x9234_5678_9000);
    }

    #[test]
    fn a_frame_begins_where_its_addresses_round_down_to() {
        let address = PhysAddr::new(0x1234_5fff);
        assert_eq!(Frame::containing(address).start(), address.page_start());
    }
}
