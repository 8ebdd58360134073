//! FADT and the one object of the DSDT that it takes to switch the machine off (ACPI 6.5, 5.2.9 and 7.4.2).

use super::memory::{HEADER, Table};

const DSDT: u64 = 40;
const PM1A_CONTROL: u64 = 64;
const PM1B_CONTROL: u64 = 68;
const LONG_DSDT: u64 = 140;

const NAME: u8 = 0x08;
const ROOT: u8 = b'\\';
const PACKAGE: u8 = 0x12;
const BYTE: u8 = 0x0a;
const ZERO: u8 = 0x00;
const ONE: u8 = 0x01;
const S5: [u8; 4] = *b"_S5_";

/// The ports to write and the sleep types that mean "off".
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct SoftOff {
    pub pm1a_control: u16,
    pub pm1b_control: Option<u16>,
    pub type_a: u8,
    pub type_b: u8,
}

/// Where the DSDT is, by the FADT.
pub(super) fn dsdt_address(fadt: &Table) -> Option<u64> {
    let long = fadt.quad(LONG_DSDT).filter(|address| *address != 0);
    long.or_else(|| fadt.long(DSDT).map(u64::from)).filter(|address| *address != 0)
}

pub(super) fn soft_off(fadt: &Table, dsdt: &Table) -> Option<SoftOff> {
    let port = |offset| fadt.long(offset).and_then(|port| u16::try_from(port).ok()).filter(|port| *port != 0);
    let (type_a, type_b) = find_s5(dsdt)?;
    Some(SoftOff { pm1a_control: port(PM1A_CONTROL)?, pm1b_control: port(PM1B_CONTROL), type_a, type_b })
}

/// Looks for `Name (_S5_, Package () {a, b, ..})` without understanding the rest of the byte code.
fn find_s5(dsdt: &Table) -> Option<(u8, u8)> {
    const STEP: u64 = 64;
    let mut at = HEADER;
    while at < dsdt.length() {
        // Each step looks at STEP places for the first letter; the few bytes beyond are read by `package`.
        let end = (at + STEP).min(dsdt.length());
        let found = match dsdt.bytes::<{ STEP as usize }>(at) {
            Some(piece) => {
                piece.iter().enumerate().filter(|(_, byte)| **byte == S5[0]).find_map(|(index, _)| package(dsdt, at + index as u64))
            }
            None => (at..end).find_map(|place| package(dsdt, place)),
        };
        if found.is_some() {
            return found;
        }
        at = end;
    }
    None
}

/// The first two numbers of the package that follows the name at `at`, if it is the right name in the right place.
fn package(dsdt: &Table, at: u64) -> Option<(u8, u8)> {
    if dsdt.bytes::<4>(at)? != S5 {
        return None;
    }
    let named = dsdt.byte(at - 1)? == NAME || (dsdt.byte(at - 1)? == ROOT && dsdt.byte(at - 2)? == NAME);
    if !named || dsdt.byte(at + 4)? != PACKAGE {
        return None;
    }
    // The package's length takes one byte, and as many more as its two top bits say; then the number of elements.
    let length_bytes = u64::from(dsdt.byte(at + 5)? >> 6) + 1;
    let first = at + 5 + length_bytes + 1;
    let (type_a, next) = number(dsdt, first)?;
    let (type_b, _) = number(dsdt, next).unwrap_or((type_a, next));
    Some((type_a, type_b))
}

/// A small constant, and where the next one begins.
fn number(dsdt: &Table, at: u64) -> Option<(u8, u64)> {
    let value = match dsdt.byte(at)? {
        ZERO => (0, at + 1),
        ONE => (1, at + 1),
        BYTE => (dsdt.byte(at + 1)?, at + 2),
        _ => return None,
    };
    (value.0 < 8).then_some(value)
}
