//! Firmware tables made by hand, whole and broken.

use super::*;
use std::vec;
use std::vec::Vec;

/// A few tables in an otherwise empty memory of 64 KiB.
struct Bytes(Vec<u8>);

const ROOT_AT: usize = 0x100;
const XSDT_AT: usize = 0x1000;
const MADT_AT: usize = 0x2000;
const FADT_AT: usize = 0x3000;
const DSDT_AT: usize = 0x4000;

impl Memory for Bytes {
    fn read(&self, address: u64, into: &mut [u8]) -> bool {
        let Some(piece) = usize::try_from(address).ok().and_then(|at| self.0.get(at..)?.get(..into.len())) else {
            return false;
        };
        into.copy_from_slice(piece);
        true
    }
}

fn fix_sum(bytes: &mut [u8], at: usize) {
    bytes[at] = 0;
    let sum = bytes.iter().fold(0u8, |sum, byte| sum.wrapping_add(*byte));
    bytes[at] = 0u8.wrapping_sub(sum);
}

fn table(signature: &[u8; 4], body: &[u8]) -> Vec<u8> {
    let mut bytes = vec![0; 36];
    bytes[..4].copy_from_slice(signature);
    bytes[4..8].copy_from_slice(&(36 + body.len() as u32).to_le_bytes());
    bytes.extend_from_slice(body);
    fix_sum(&mut bytes, 9);
    bytes
}

impl Bytes {
    fn put(&mut self, at: usize, bytes: &[u8]) {
        self.0[at..at + bytes.len()].copy_from_slice(bytes);
    }
}

fn madt_body() -> Vec<u8> {
    let mut body = vec![0, 0, 0xe0, 0xfe, 1, 0, 0, 0];
    for (id, enabled) in [(0u8, 1u8), (4, 1), (9, 0)] {
        body.extend_from_slice(&[0, 8, id, id, enabled, 0, 0, 0]);
    }
    // The same CPU once more, as x2APIC; then one that only fits there.
    for id in [4u32, 300] {
        body.extend_from_slice(&[9, 16, 0, 0]);
        body.extend_from_slice(&id.to_le_bytes());
        body.extend_from_slice(&[1, 0, 0, 0, 0, 0, 0, 0]);
    }
    body.extend_from_slice(&[1, 12, 0, 0, 0, 0, 0xc0, 0xfe, 0, 0, 0, 0]);
    body.extend_from_slice(&[2, 10, 0, 0, 2, 0, 0, 0, 0, 0]);
    body.extend_from_slice(&[2, 10, 0, 9, 9, 0, 0, 0, 0x0f, 0]);
    body
}

fn dsdt_body() -> Vec<u8> {
    let mut body = vec![0x5b; 70];
    // A mention that is no definition comes first.
    body.extend_from_slice(b"_S5_");
    body.extend_from_slice(&[0x08]);
    body.extend_from_slice(b"_S5_");
    body.extend_from_slice(&[0x12, 0x06, 0x04, 0x0a, 0x05, 0x01, 0x00, 0x00]);
    body
}

fn machine() -> Bytes {
    let mut memory = Bytes(vec![0; 1 << 16]);
    let mut root = vec![0; 36];
    root[..8].copy_from_slice(b"RSD PTR ");
    root[15] = 2;
    root[20..24].copy_from_slice(&36u32.to_le_bytes());
    root[24..32].copy_from_slice(&(XSDT_AT as u64).to_le_bytes());
    fix_sum(&mut root[..20], 8);
    fix_sum(&mut root, 32);
    memory.put(ROOT_AT, &root);
    let entries: Vec<u8> = [0xffff_ffff_ffff_fff0, MADT_AT as u64, FADT_AT as u64, 0].iter().flat_map(|at| at.to_le_bytes()).collect();
    memory.put(XSDT_AT, &table(b"XSDT", &entries));
    memory.put(MADT_AT, &table(b"APIC", &madt_body()));
    let mut fadt = vec![0; 116 - 36];
    fadt[40 - 36..44 - 36].copy_from_slice(&(DSDT_AT as u32).to_le_bytes());
    fadt[64 - 36..68 - 36].copy_from_slice(&0x604u32.to_le_bytes());
    memory.put(FADT_AT, &table(b"FACP", &fadt));
    memory.put(DSDT_AT, &table(b"DSDT", &dsdt_body()));
    memory
}

#[test]
fn a_whole_machine_is_read() {
    let tables = parse(&machine(), ROOT_AT as u64).unwrap();
    assert_eq!(tables.cpus[..], [0, 4, 300]);
    assert_eq!(tables.io_apics[..], [IoApicEntry { address: 0xfec0_0000, first_line: 0 }]);
    assert_eq!(
        tables.overrides[..],
        [Override { irq: 0, line: 2, active_low: false, level: false }, Override { irq: 9, line: 9, active_low: true, level: true },]
    );
    let off = SoftOff { pm1a_control: 0x604, pm1b_control: None, type_a: 5, type_b: 1 };
    assert_eq!(tables.soft_off, Some(off));
}

#[test]
fn one_wrong_bit_in_a_table_and_it_is_not_believed() {
    let mut memory = machine();
    memory.0[MADT_AT + 50] ^= 1;
    let tables = parse(&memory, ROOT_AT as u64).unwrap();
    assert!(tables.cpus.is_empty() && tables.soft_off.is_some());
    memory.0[ROOT_AT + 9] ^= 1;
    assert_eq!(parse(&memory, ROOT_AT as u64).unwrap_err(), AcpiError::BadRootPointer);
}

#[test]
fn an_entry_of_length_zero_ends_the_walk() {
    let mut memory = machine();
    let mut body = madt_body();
    body[17] = 0;
    memory.put(MADT_AT, &table(b"APIC", &body));
    assert_eq!(parse(&memory, ROOT_AT as u64).unwrap().cpus[..], [0]);
}

#[test]
fn more_cpus_than_there_is_room_for_are_counted() {
    let mut memory = machine();
    let mut body = vec![0; 8];
    for id in 0..300u32 {
        body.extend_from_slice(&[9, 16, 0, 0]);
        body.extend_from_slice(&id.to_le_bytes());
        body.extend_from_slice(&[1, 0, 0, 0, 0, 0, 0, 0]);
    }
    memory.put(MADT_AT + 0x4000, &table(b"APIC", &body));
    let entries: Vec<u8> = (MADT_AT as u64 + 0x4000).to_le_bytes().to_vec();
    memory.put(XSDT_AT, &table(b"XSDT", &entries));
    let tables = parse(&memory, ROOT_AT as u64).unwrap();
    assert_eq!((tables.cpus.len(), tables.ignored_entries), (MAXIMUM_LISTED_CPUS, 300 - MAXIMUM_LISTED_CPUS));
}

#[test]
fn no_bytes_make_the_parser_panic() {
    let good = machine();
    let mut random = 0x9e37_79b9_7f4a_7c15u64;
    for _ in 0..3000 {
        let mut memory = Bytes(good.0.clone());
        for _ in 0..8 {
            random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            let places = [ROOT_AT, XSDT_AT, MADT_AT, FADT_AT, DSDT_AT];
            let at = places[(random >> 40) as usize % places.len()] + (random >> 50) as usize % 140;
            memory.0[at] = (random >> 32) as u8;
        }
        // Right sums again, so that the damage is looked at.
        for at in [XSDT_AT, MADT_AT, FADT_AT, DSDT_AT] {
            let length = u32::from_le_bytes([memory.0[at + 4], memory.0[at + 5], memory.0[at + 6], memory.0[at + 7]]);
            let bytes = memory.0.get_mut(at..at.saturating_add(length as usize)).filter(|bytes| bytes.len() >= 36);
            if let Some(bytes) = bytes {
                fix_sum(bytes, 9);
            }
        }
        let _ = parse(&memory, ROOT_AT as u64);
    }
    for length in 0..0x300 {
        let _ = parse(&Bytes(good.0[..length].to_vec()), ROOT_AT as u64);
    }
    let _ = parse(&good, u64::MAX);
}
