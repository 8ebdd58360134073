//! From the root pointer to the tables that matter.
//!
//! Invariant: `parse` ends after a bounded number of reads, whatever the bytes say.

use super::fixed::{self, SoftOff};
use super::madt::{self, IoApicEntry, MAXIMUM_IO_APICS, MAXIMUM_LISTED_CPUS, MAXIMUM_OVERRIDES, Override};
use super::memory::{HEADER, Memory, Table, bytes, sums_to_zero};
use crate::addr::PhysAddr;
use crate::physical;
use arrayvec::ArrayVec;

/// What is kept of the firmware's tables.
#[derive(Clone, Default, Debug)]
pub struct Tables {
    /// APIC ids of the CPUs that may be used, in the table's order.
    pub cpus: ArrayVec<u32, MAXIMUM_LISTED_CPUS>,
    pub io_apics: ArrayVec<IoApicEntry, MAXIMUM_IO_APICS>,
    pub overrides: ArrayVec<Override, MAXIMUM_OVERRIDES>,
    pub soft_off: Option<SoftOff>,
    /// Entries of the MADT that were too many to keep or cut short.
    pub ignored_entries: usize,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum AcpiError {
    NoRootPointer,
    BadRootPointer,
    BadRootTable,
}

const ROOT_SIGNATURE: [u8; 8] = *b"RSD PTR ";
const SHORT_ROOT: u64 = 20;
const LONG_ROOT: u64 = 36;
const MAXIMUM_TABLES: u64 = 256;

/// Address of the root table, and how wide its entries are.
fn root_table(memory: &dyn Memory, pointer: u64) -> Result<(u64, u64), AcpiError> {
    let head: [u8; SHORT_ROOT as usize] = bytes(memory, pointer).ok_or(AcpiError::BadRootPointer)?;
    if head[..8] != ROOT_SIGNATURE || !sums_to_zero(memory, pointer, SHORT_ROOT) {
        return Err(AcpiError::BadRootPointer);
    }
    let revision = head[15];
    let short = u64::from(u32::from_le_bytes([head[16], head[17], head[18], head[19]]));
    let long = (revision >= 2 && sums_to_zero(memory, pointer, LONG_ROOT))
        .then(|| bytes::<8>(memory, pointer + 24).map(u64::from_le_bytes))
        .flatten()
        .filter(|address| *address != 0);
    Ok(match long {
        Some(address) => (address, 8),
        None => (short, 4),
    })
}

/// Reads what matters, starting at the root pointer.
pub fn parse(memory: &dyn Memory, pointer: u64) -> Result<Tables, AcpiError> {
    pointer.checked_add(LONG_ROOT).ok_or(AcpiError::BadRootPointer)?;
    let (address, width) = root_table(memory, pointer)?;
    let root = Table::open(memory, address).ok_or(AcpiError::BadRootTable)?;
    if root.signature != if width == 8 { *b"XSDT" } else { *b"RSDT" } {
        return Err(AcpiError::BadRootTable);
    }
    let mut tables = Tables::default();
    let count = ((root.length() - HEADER) / width).min(MAXIMUM_TABLES);
    for index in 0..count {
        let offset = HEADER + index * width;
        let entry = if width == 8 { root.quad(offset) } else { root.long(offset).map(u64::from) };
        let Some(table) = entry.and_then(|at| Table::open(memory, at)) else { continue };
        match &table.signature {
            b"APIC" => madt::read(&table, &mut tables),
            b"FACP" => tables.soft_off = soft_off(memory, &table),
            _ => {}
        }
    }
    Ok(tables)
}

fn soft_off(memory: &dyn Memory, fadt: &Table) -> Option<SoftOff> {
    let dsdt = Table::open(memory, fixed::dsdt_address(fadt)?)?;
    if dsdt.signature != *b"DSDT" {
        return None;
    }
    fixed::soft_off(fadt, &dsdt)
}

/// Physical memory, as far as all page tables of the kernel show it.
pub(crate) struct EarlyWindow;

const EARLY_WINDOW: u64 = 4 << 30;

impl Memory for EarlyWindow {
    fn read(&self, address: u64, into: &mut [u8]) -> bool {
        let inside = address.checked_add(into.len() as u64).is_some_and(|end| end <= EARLY_WINDOW);
        if inside {
            physical::copy_from(PhysAddr::new(address), into);
        }
        inside
    }
}

/// The machine's own tables. The window shows the first 4 GiB, whatever lies there, under the early page tables and
/// under the kernel's own.
pub fn read(root_pointer: Option<PhysAddr>) -> Result<Tables, AcpiError> {
    let pointer = root_pointer.ok_or(AcpiError::NoRootPointer)?;
    parse(&EarlyWindow, pointer.as_u64())
}

#[cfg(test)]
#[path = "tests.rs"]
mod tests;
