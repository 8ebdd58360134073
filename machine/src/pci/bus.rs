//! The configuration space, through its two ports (PCI Local Bus 3.0, 3.2.2.3.2).
//!
//! Invariant: there is one `Bus`, and it is used by one CPU at a time: address and data are two steps. Lists of capabilities and
//! of buses are followed so far and no further, whatever a device says.

use crate::addr::PhysAddr;
use crate::port;
use alloc::vec::Vec;
use core::cell::Cell;
use core::marker::PhantomData;
use sync::Flag;

const ADDRESS: u16 = 0xcf8;
const DATA: u16 = 0xcfc;
const ENABLE: u32 = 1 << 31;

const COMMAND: u8 = 0x04;
const COMMAND_MEMORY: u32 = 1 << 1;
const COMMAND_MASTER: u32 = 1 << 2;
const COMMAND_NO_LINE: u32 = 1 << 10;
const STATUS_CAPABILITIES: u32 = 1 << 20;
const HEADER: u8 = 0x0c;
const FIRST_BAR: u8 = 0x10;
const BARS: u8 = 6;
const BUSES: u8 = 0x18;
const CAPABILITIES: u8 = 0x34;
const NOBODY: u32 = 0xffff_ffff;
/// More than fit into the space behind the header.
const LONGEST_LIST: usize = 48;

/// The configuration ports, for whoever has it.
pub struct Bus(PhantomData<Cell<()>>);

static CLAIMED: Flag = Flag::new(false);

/// A function of a device: where it is plugged in.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Function {
    pub bus: u8,
    pub device: u8,
    pub function: u8,
}

impl Function {
    fn address(self, offset: u8) -> u32 {
        let place = u32::from(self.bus) << 16 | u32::from(self.device & 31) << 11 | u32::from(self.function & 7) << 8;
        ENABLE | place | u32::from(offset & 0xfc)
    }
}

impl Bus {
    /// The first caller gets it.
    pub fn claim() -> Option<Bus> {
        CLAIMED.claim().then_some(Bus(PhantomData))
    }

    /// The word at `offset`, rounded down to a multiple of 4.
    pub fn read(&self, function: Function, offset: u8) -> u32 {
        // SAFETY: this file's ports; selecting and reading a word of the configuration changes nothing in memory.
        unsafe {
            port::write_long(ADDRESS, function.address(offset));
            port::read_long(DATA)
        }
    }

    pub fn write(&self, function: Function, offset: u8, value: u32) {
        // SAFETY: this file's ports. A device that is told to master the bus reads and writes only memory that its driver
        // gives it.
        unsafe {
            port::write_long(ADDRESS, function.address(offset));
            port::write_long(DATA, value);
        }
    }

    /// All functions that are there, bridges passed through.
    pub fn functions(&self) -> Vec<Function> {
        let mut found = Vec::new();
        let mut seen = [false; 256];
        let mut open = alloc::vec![0u8];
        while let Some(bus) = open.pop() {
            if core::mem::replace(&mut seen[usize::from(bus)], true) {
                continue;
            }
            for device in 0..32 {
                self.look(bus, device, &mut found, &mut open);
            }
        }
        found
    }

    fn look(&self, bus: u8, device: u8, found: &mut Vec<Function>, bridged: &mut Vec<u8>) {
        for number in 0..8 {
            let function = Function { bus, device, function: number };
            if self.read(function, 0) == NOBODY {
                if number == 0 {
                    return;
                }
                continue;
            }
            let header = self.read(function, HEADER) >> 16;
            if header & 0x7f == 1 {
                bridged.push((self.read(function, BUSES) >> 8) as u8);
            }
            found.push(function);
            if number == 0 && header & 0x80 == 0 {
                return;
            }
        }
    }

    /// Vendor and device.
    pub fn identity(&self, function: Function) -> (u16, u16) {
        let word = self.read(function, 0);
        (word as u16, (word >> 16) as u16)
    }

    /// Where capabilities of this kind begin in the configuration.
    pub fn capabilities(&self, function: Function, kind: u8) -> Vec<u8> {
        let mut found = Vec::new();
        if self.read(function, COMMAND) & STATUS_CAPABILITIES == 0 {
            return found;
        }
        let mut at = self.read(function, CAPABILITIES) as u8 & 0xfc;
        for _ in 0..LONGEST_LIST {
            if at < 0x40 {
                break;
            }
            let word = self.read(function, at);
            if word as u8 == kind {
                found.push(at);
            }
            at = (word >> 8) as u8 & 0xfc;
        }
        found
    }

    /// Where a base address register points, if to memory.
    pub fn memory(&self, function: Function, bar: u8) -> Option<PhysAddr> {
        if bar >= BARS {
            return None;
        }
        let low = self.read(function, FIRST_BAR + 4 * bar);
        let is_wide = low & 6 == 4;
        let high = if is_wide && bar + 1 < BARS { self.read(function, FIRST_BAR + 4 * (bar + 1)) } else { 0 };
        let at = u64::from(high) << 32 | u64::from(low & !0xf);
        (low & 1 == 0 && at != 0).then(|| PhysAddr::new(at))
    }

    /// Lets the function answer in memory and reach memory itself, and keeps it off the interrupt lines.
    pub fn enable(&self, function: Function) {
        let command = self.read(function, COMMAND) & 0xffff;
        self.write(function, COMMAND, command | COMMAND_MEMORY | COMMAND_MASTER | COMMAND_NO_LINE);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_names_bus_device_function_and_word() {
        assert_eq!(Function { bus: 1, device: 31, function: 7 }.address(0x3d), 0x8001_ff3c);
    }

    #[test]
    fn there_is_one_bus() {
        assert!(Bus::claim().is_some());
        assert!(Bus::claim().is_none());
    }
}
