//! A device's registers, mapped for ever and uncached.
//!
//! Invariant: every access lies inside the mapping and is aligned; what the device then does, its driver answers for.

use crate::addr::PhysAddr;
use crate::paging::kernel_space;

/// A window on a device's registers.
pub struct Registers {
    base: usize,
    length: usize,
}

/// No device's registers that we use are longer.
const LONGEST: usize = 1 << 20;

impl Registers {
    /// `None` for what no device needs.
    pub fn map(at: PhysAddr, length: usize) -> Option<Self> {
        let is_sound = length > 0 && length <= LONGEST && at.as_u64().checked_add(LONGEST as u64).is_some();
        is_sound.then(|| Registers { base: kernel_space::map_device(at, length).as_u64() as usize, length })
    }

    /// Where they are seen, for drivers that bring their own access.
    pub fn address(&self) -> usize {
        self.base
    }

    fn place(&self, offset: usize, bytes: usize) -> usize {
        let is_inside = offset.checked_add(bytes).is_some_and(|end| end <= self.length);
        assert!(is_inside && (self.base + offset).is_multiple_of(bytes), "a device register at {offset:#x} of {:#x}", self.length);
        self.base + offset
    }

    pub fn write_word(&self, offset: usize, value: u16) {
        // SAFETY: inside the mapping, aligned (`place`).
        unsafe { (self.place(offset, 2) as *mut u16).write_volatile(value) };
    }

    pub fn read_word(&self, offset: usize) -> u16 {
        // SAFETY: as above.
        unsafe { (self.place(offset, 2) as *const u16).read_volatile() }
    }

    pub fn write_long(&self, offset: usize, value: u32) {
        // SAFETY: as above.
        unsafe { (self.place(offset, 4) as *mut u32).write_volatile(value) };
    }
}
