//! IO-APICs: which device line goes to which CPU, as which vector.
//!
//! Invariant: each IO-APIC's registers lie inside its own lock. Lines are named by their global number (GSI); those of
//! the old ISA devices are looked up in the firmware's table first (`line_of_isa`).

use super::local;
use super::redirection::{RegisterPair, Registers};
use crate::acpi::{IoApicEntry, Override, Tables};
use crate::addr::PhysAddr;
use crate::paging;
use arrayvec::ArrayVec;
use core::ops::Range;
use sync::{CpuId, Once, SpinLock, order};

pub use super::redirection::{Polarity, Trigger};

const MAXIMUM_IO_APICS: usize = crate::acpi::MAXIMUM_IO_APICS;
const WINDOW: usize = 0x10;
const PAGE: usize = 4096;
const ISA_LINES: u8 = 16;

/// The register page of a real IO-APIC.
struct Mapped(usize);

impl RegisterPair for Mapped {
    fn select(&mut self, register: u8) {
        // SAFETY: mapped for ever by `initialise`, and only reachable under the IO-APIC's lock.
        unsafe { (self.0 as *mut u32).write_volatile(u32::from(register)) };
    }

    fn read_window(&mut self) -> u32 {
        // SAFETY: as above.
        unsafe { ((self.0 + WINDOW) as *const u32).read_volatile() }
    }

    fn write_window(&mut self, value: u32) {
        // SAFETY: as above; which interrupts may come is decided by the owner of the vector.
        unsafe { ((self.0 + WINDOW) as *mut u32).write_volatile(value) };
    }
}

struct IoApic {
    lines: Range<u32>,
    registers: SpinLock<Registers<Mapped>, order::IoApic>,
}

/// Fixed after boot.
struct Wiring {
    chips: ArrayVec<IoApic, MAXIMUM_IO_APICS>,
    overrides: ArrayVec<Override, { crate::acpi::MAXIMUM_OVERRIDES }>,
}

static WIRING: Once<Wiring> = Once::new();

/// A line that no IO-APIC has, or a CPU that an IO-APIC cannot address.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct NoSuchRoute;

/// How a device is wired: the number of its line, and how it signals.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Line {
    pub gsi: u32,
    pub polarity: Polarity,
    pub trigger: Trigger,
}

/// Maps the IO-APICs that the firmware names and masks every line. Called once, on the boot CPU, with the kernel's own
/// page tables loaded.
pub fn initialise(tables: &Tables) {
    let chips = tables.io_apics.iter().map(adopt).collect();
    let wiring = Wiring { chips, overrides: tables.overrides.clone() };
    assert!(WIRING.set(wiring).is_ok(), "the IO-APICs were set up twice");
}

fn adopt(entry: &IoApicEntry) -> IoApic {
    let page = paging::kernel_space::map_device(PhysAddr::new(u64::from(entry.address)), PAGE);
    let mut registers = Registers::new(Mapped(page.as_u64() as usize));
    let pins = registers.pins();
    (0..pins as u8).for_each(|pin| registers.mask(pin));
    IoApic { lines: entry.first_line..entry.first_line.saturating_add(pins), registers: SpinLock::new(registers) }
}

/// Where the ISA device with interrupt `irq` is really wired.
pub fn line_of_isa(irq: u8) -> Line {
    let overrides = WIRING.get().map_or(&[][..], |wiring| &wiring.overrides);
    isa_line(overrides, irq)
}

fn isa_line(overrides: &[Override], irq: u8) -> Line {
    let plain = Line { gsi: u32::from(irq), polarity: Polarity::ActiveHigh, trigger: Trigger::Edge };
    let Some(found) = overrides.iter().find(|entry| entry.irq == irq) else { return plain };
    Line {
        gsi: found.line,
        polarity: if found.active_low { Polarity::ActiveLow } else { Polarity::ActiveHigh },
        trigger: if found.level { Trigger::Level } else { Trigger::Edge },
    }
}

/// How the line with this number signals: as the firmware says for those of the old devices, as PCI does for others.
pub fn line(gsi: u32) -> Line {
    let overrides = WIRING.get().map_or(&[][..], |wiring| &wiring.overrides);
    if let Some(entry) = overrides.iter().find(|entry| entry.line == gsi) {
        return isa_line(overrides, entry.irq);
    }
    match u8::try_from(gsi) {
        Ok(irq) if irq < ISA_LINES => Line { gsi, polarity: Polarity::ActiveHigh, trigger: Trigger::Edge },
        _ => Line { gsi, polarity: Polarity::ActiveLow, trigger: Trigger::Level },
    }
}

fn find(gsi: u32) -> Result<(&'static IoApic, u8), NoSuchRoute> {
    let chips = &WIRING.get().ok_or(NoSuchRoute)?.chips;
    let chip = chips.iter().find(|chip| chip.lines.contains(&gsi)).ok_or(NoSuchRoute)?;
    Ok((chip, (gsi - chip.lines.start) as u8))
}

/// Sends a line as `vector` to `cpu`, unmasked.
pub fn route(line: Line, vector: u8, cpu: CpuId) -> Result<(), NoSuchRoute> {
    let (chip, pin) = find(line.gsi)?;
    let to = local::id_of(cpu).and_then(|id| u8::try_from(id).ok()).ok_or(NoSuchRoute)?;
    chip.registers.lock_without_context().route(pin, vector, to, line.polarity, line.trigger);
    Ok(())
}

/// Has a chip this line?
pub fn exists(gsi: u32) -> Result<(), NoSuchRoute> {
    find(gsi).map(|_| ())
}

/// As `route`, but masked.
pub fn route_masked(line: Line, vector: u8, cpu: CpuId) -> Result<(), NoSuchRoute> {
    let (chip, pin) = find(line.gsi)?;
    let to = local::id_of(cpu).and_then(|id| u8::try_from(id).ok()).ok_or(NoSuchRoute)?;
    chip.registers.lock_without_context().set(pin, vector, to, line.polarity, line.trigger, true);
    Ok(())
}

pub fn mask(gsi: u32) -> Result<(), NoSuchRoute> {
    let (chip, pin) = find(gsi)?;
    chip.registers.lock_without_context().mask(pin);
    Ok(())
}

pub fn unmask(gsi: u32) -> Result<(), NoSuchRoute> {
    let (chip, pin) = find(gsi)?;
    chip.registers.lock_without_context().unmask(pin);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn isa_lines_go_where_the_firmware_says() {
        let overrides =
            [Override { irq: 0, line: 2, active_low: false, level: false }, Override { irq: 9, line: 9, active_low: true, level: true }];
        assert_eq!(isa_line(&overrides, 0).gsi, 2);
        assert_eq!(isa_line(&overrides, 9), Line { gsi: 9, polarity: Polarity::ActiveLow, trigger: Trigger::Level });
        assert_eq!(isa_line(&overrides, 4), Line { gsi: 4, polarity: Polarity::ActiveHigh, trigger: Trigger::Edge });
    }

    #[test]
    fn a_line_that_no_chip_has_is_refused() {
        assert_eq!(mask(4000), Err(NoSuchRoute));
    }
}
