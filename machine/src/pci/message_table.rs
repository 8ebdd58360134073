//! MSI-X: the table of messages that a function interrupts with (PCI Local Bus 3.0, 6.8.2).
//!
//! Invariant: an entry is masked while it is written; nobody but its owner writes to the table.

use super::bus::{Bus, Function};
use super::registers::Registers;

const CAPABILITY: u8 = 0x11;
const ENABLE: u32 = 1 << 31;
const MASK_ALL: u32 = 1 << 30;
const ENTRY: usize = 16;

/// A function's messages.
pub struct MessageTable {
    entries: Registers,
    count: usize,
}

impl MessageTable {
    /// Switches the messages on, each still masked. `None` when the function has none.
    pub fn enable(bus: &Bus, function: Function) -> Option<Self> {
        let capability = *bus.capabilities(function, CAPABILITY).first()?;
        let control = bus.read(function, capability);
        let count = (control >> 16 & 0x7ff) as usize + 1;
        let place = bus.read(function, capability.checked_add(4)?);
        let base = bus.memory(function, (place & 7) as u8)?;
        let table = MessageTable { entries: Registers::map(base + u64::from(place & !7), count * ENTRY)?, count };
        for entry in 0..count {
            table.entries.write_long(entry * ENTRY + 12, 1);
        }
        bus.write(function, capability, (control | ENABLE) & !MASK_ALL);
        Some(table)
    }

    /// Makes `entry` this message, and lets it come. False when there is no such entry.
    pub fn set(&self, entry: usize, address: u64, data: u32) -> bool {
        if entry >= self.count {
            return false;
        }
        let at = entry * ENTRY;
        self.entries.write_long(at + 12, 1);
        self.entries.write_long(at, address as u32);
        self.entries.write_long(at + 4, (address >> 32) as u32);
        self.entries.write_long(at + 8, data);
        self.entries.write_long(at + 12, 0);
        true
    }
}
