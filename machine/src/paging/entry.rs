//! One page-table entry, its bits.
//!
//! Invariant: an entry that is all zero is empty; any other one is in use, present or not.

use crate::addr::PhysAddr;
use bitflags::bitflags;

bitflags! {
    #[derive(Clone, Copy, PartialEq, Eq, Debug)]
    pub struct Flags: u64 {
        const PRESENT = 1 << 0;
        const WRITABLE = 1 << 1;
        const USER = 1 << 2;
        const WRITE_THROUGH = 1 << 3;
        const CACHE_DISABLE = 1 << 4;
        const ACCESSED = 1 << 5;
        const DIRTY = 1 << 6;
        /// In levels 2 and 3: this is a page, not a table.
        const LARGE = 1 << 7;
        const GLOBAL = 1 << 8;
        /// Ignored by the CPU: the entry holds a page though it may not be present.
        const HELD = 1 << 9;
        const NO_EXECUTE = 1 << 63;
    }
}

const ADDRESS: u64 = 0x000f_ffff_ffff_f000;

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(transparent)]
pub struct Entry(u64);

impl Entry {
    pub const EMPTY: Entry = Entry(0);

    pub const fn new(address: PhysAddr, flags: Flags) -> Self {
        debug_assert!(address.as_u64() & !ADDRESS == 0);
        Entry(address.as_u64() & ADDRESS | flags.bits())
    }

    pub const fn from_bits(bits: u64) -> Self {
        Entry(bits)
    }

    pub const fn bits(self) -> u64 {
        self.0
    }

    pub const fn address(self) -> PhysAddr {
        PhysAddr::new(self.0 & ADDRESS)
    }

    pub const fn flags(self) -> Flags {
        Flags::from_bits_truncate(self.0)
    }

    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }

    pub const fn has(self, flags: Flags) -> bool {
        self.flags().contains(flags)
    }

    /// The same page with other flags.
    pub const fn with_flags(self, flags: Flags) -> Self {
        Entry(self.0 & ADDRESS | flags.bits())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_entry_gives_back_what_it_was_made_of() {
        let address = PhysAddr::new(0x000f_ffff_ffff_f000);
        let flags = Flags::PRESENT | Flags::NO_EXECUTE | Flags::HELD;
        let entry = Entry::new(address, flags);
        assert_eq!((entry.address(), entry.flags()), (address, flags));
        assert_eq!(entry.with_flags(Flags::HELD).address(), address);
        assert!(entry.has(Flags::PRESENT) && !entry.has(Flags::PRESENT | Flags::WRITABLE));
    }
}
