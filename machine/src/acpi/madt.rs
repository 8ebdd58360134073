//! MADT: which CPUs and interrupt controllers there are (ACPI 6.5, 5.2.12).

use super::memory::{HEADER, Table};
use super::tables::Tables;

/// CPUs that are kept: more than are ever brought up, so that the rest can be counted.
pub const MAXIMUM_LISTED_CPUS: usize = 256;
pub const MAXIMUM_IO_APICS: usize = 16;
pub const MAXIMUM_OVERRIDES: usize = 24;

const FIRST_ENTRY: u64 = HEADER + 8;
const LOCAL_APIC: u8 = 0;
const IO_APIC: u8 = 1;
const OVERRIDE: u8 = 2;
const LOCAL_X2APIC: u8 = 9;

const ENABLED: u32 = 1;
const ISA_BUS: u8 = 0;
const ACTIVE_LOW: u16 = 3;
const LEVEL: u16 = 3 << 2;

/// An IO-APIC: where its registers are, and the number of its first line.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct IoApicEntry {
    pub address: u32,
    pub first_line: u32,
}

/// An ISA interrupt that is wired to another line than its own number, or signals otherwise than ISA does.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Override {
    pub irq: u8,
    pub line: u32,
    pub active_low: bool,
    pub level: bool,
}

/// Walks the entries; one that is too short ends the walk.
pub(super) fn read(table: &Table, into: &mut Tables) {
    let mut at = FIRST_ENTRY;
    while let (Some(kind), Some(length)) = (table.byte(at), table.byte(at + 1)) {
        let end = at + u64::from(length);
        if length < 2 || end > table.length() {
            return;
        }
        if entry(table, kind, at, length, into).is_none() {
            into.ignored_entries += 1;
        }
        at = end;
    }
}

fn entry(table: &Table, kind: u8, at: u64, length: u8, into: &mut Tables) -> Option<()> {
    match (kind, length) {
        (LOCAL_APIC, 8..) => cpu(into, u32::from(table.byte(at + 3)?), table.long(at + 4)?),
        (LOCAL_X2APIC, 16..) => cpu(into, table.long(at + 4)?, table.long(at + 8)?),
        (IO_APIC, 12..) => {
            let found = IoApicEntry { address: table.long(at + 4)?, first_line: table.long(at + 8)? };
            into.io_apics.try_push(found).ok()
        }
        (OVERRIDE, 10..) if table.byte(at + 2)? == ISA_BUS => {
            let flags = table.word(at + 8)?;
            let found = Override {
                irq: table.byte(at + 3)?,
                line: table.long(at + 4)?,
                active_low: flags & ACTIVE_LOW == ACTIVE_LOW,
                level: flags & LEVEL == LEVEL,
            };
            into.overrides.try_push(found).ok()
        }
        _ => Some(()),
    }
}

/// A CPU is listed once, however often and in whichever form the table names it.
fn cpu(into: &mut Tables, apic_id: u32, flags: u32) -> Option<()> {
    if flags & ENABLED == 0 || into.cpus.contains(&apic_id) {
        return Some(());
    }
    into.cpus.try_push(apic_id).ok()
}
