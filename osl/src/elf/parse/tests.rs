//! What is accepted as a program, and what is refused however cleverly it is put together.

use super::*;
use crate::elf::header::{READ, WRITE};
use alloc::vec;

const FILE_BYTES: u64 = 0x3000;

fn header(kind: u16, count: u16) -> Vec<u8> {
    let mut bytes = vec![0u8; HEADER_BYTES];
    bytes[..7].copy_from_slice(&[0x7f, b'E', b'L', b'F', 2, 1, 1]);
    bytes[16..18].copy_from_slice(&kind.to_le_bytes());
    bytes[18..20].copy_from_slice(&MACHINE.to_le_bytes());
    bytes[24..32].copy_from_slice(&0x40_1000u64.to_le_bytes());
    bytes[32..40].copy_from_slice(&64u64.to_le_bytes());
    bytes[54..56].copy_from_slice(&56u16.to_le_bytes());
    bytes[56..58].copy_from_slice(&count.to_le_bytes());
    bytes
}

fn entry(of: &ProgramHeader) -> Vec<u8> {
    let mut bytes = vec![0u8; SEGMENT_BYTES];
    bytes[0..4].copy_from_slice(&of.kind.to_le_bytes());
    bytes[4..8].copy_from_slice(&of.flags.to_le_bytes());
    let words = [(8, of.offset), (16, of.address), (32, of.file_bytes), (40, of.memory_bytes), (48, of.align)];
    for (at, value) in words {
        bytes[at..at + 8].copy_from_slice(&value.to_le_bytes());
    }
    bytes
}

fn code() -> ProgramHeader {
    ProgramHeader {
        kind: KIND_LOAD,
        flags: READ | EXECUTE,
        offset: 0x1000,
        address: 0x40_1000,
        file_bytes: 0x800,
        memory_bytes: 0x800,
        align: PAGE,
    }
}

fn data() -> ProgramHeader {
    ProgramHeader {
        kind: KIND_LOAD,
        flags: READ | WRITE,
        offset: 0x2010,
        address: 0x40_3010,
        file_bytes: 0x10,
        memory_bytes: 0x2000,
        align: PAGE,
    }
}

fn plan(kind: u16, headers: &[ProgramHeader]) -> Result<Image, Malformed> {
    let first = header(kind, u16::try_from(headers.len()).unwrap());
    let table = table(&first, FILE_BYTES)?;
    let bytes: Vec<u8> = headers.iter().flat_map(entry).collect();
    image(&table, &bytes, FILE_BYTES)
}

#[test]
fn a_program_of_code_and_data_is_planned_in_order() {
    let image = plan(FIXED, &[code(), data()]).unwrap();
    assert!(!image.is_movable);
    assert_eq!(image.span(), (0x40_1000, 0x40_6000));
    assert_eq!(image.entry, 0x40_1000);
    assert_eq!(image.header_count, 2);
}

#[test]
fn a_movable_program_may_begin_at_address_zero() {
    let mut code = code();
    code.address = 0;
    code.offset = 0;
    let mut first = header(MOVABLE, 1);
    first[24..32].copy_from_slice(&8u64.to_le_bytes());
    let table = table(&first, FILE_BYTES).unwrap();
    let image = image(&table, &entry(&code), FILE_BYTES).unwrap();
    assert!(image.is_movable);
    assert_eq!(image.headers, 64, "the headers lie in the first piece");
}

#[test]
fn a_fixed_program_may_not_cover_the_null_page() {
    let mut code = code();
    code.address = 0;
    code.memory_bytes = 0x50_0000;
    assert_eq!(plan(FIXED, &[code]), Err(Malformed));
}

#[test]
fn a_piece_beyond_the_end_of_the_file_is_refused() {
    let mut code = code();
    code.file_bytes = FILE_BYTES;
    code.memory_bytes = FILE_BYTES;
    assert_eq!(plan(FIXED, &[code]), Err(Malformed));
}

#[test]
fn a_piece_in_the_kernel_half_or_around_the_end_of_all_addresses_is_refused() {
    for address in [USER_END - 0x1000 + 0x1000, 0xffff_8000_0000_1000, u64::MAX - 0xfff] {
        let mut piece = data();
        piece.offset = 0x1000;
        piece.address = address;
        assert_eq!(plan(FIXED, &[code(), piece]), Err(Malformed));
    }
}

#[test]
fn an_offset_and_size_that_overflow_are_refused() {
    let mut piece = data();
    piece.offset = u64::MAX - 0xfef;
    piece.file_bytes = 0x1_0000;
    piece.memory_bytes = 0x1_0000;
    assert_eq!(plan(FIXED, &[code(), piece]), Err(Malformed));
    piece = data();
    piece.memory_bytes = u64::MAX;
    assert_eq!(plan(FIXED, &[code(), piece]), Err(Malformed));
}

#[test]
fn more_bytes_in_the_file_than_in_memory_are_refused() {
    let mut piece = data();
    piece.memory_bytes = 1;
    assert_eq!(plan(FIXED, &[code(), piece]), Err(Malformed));
}

#[test]
fn pieces_that_overlap_or_share_a_page_are_refused() {
    let mut piece = data();
    piece.address = 0x40_1010;
    assert_eq!(plan(FIXED, &[code(), piece]), Err(Malformed));
    assert_eq!(plan(FIXED, &[data(), code()]), Err(Malformed));
}

#[test]
fn an_offset_that_disagrees_with_its_address_is_refused() {
    let mut piece = data();
    piece.address += 8;
    assert_eq!(plan(FIXED, &[code(), piece]), Err(Malformed));
}

#[test]
fn an_entry_outside_every_piece_is_refused() {
    assert_eq!(plan(FIXED, &[data()]), Err(Malformed));
}

#[test]
fn every_prefix_of_a_header_is_refused_without_harm() {
    let whole = header(FIXED, 1);
    for length in 0..whole.len() {
        assert_eq!(table(&whole[..length], FILE_BYTES), Err(Malformed));
    }
}

#[test]
fn a_table_outside_the_file_or_of_absurd_size_is_refused() {
    let mut first = header(FIXED, 1);
    first[32..40].copy_from_slice(&u64::MAX.to_le_bytes());
    assert_eq!(table(&first, FILE_BYTES), Err(Malformed));
    assert_eq!(table(&header(FIXED, 0), FILE_BYTES), Err(Malformed));
    assert_eq!(table(&header(FIXED, u16::MAX), u64::MAX), Err(Malformed));
}

#[test]
fn other_machines_and_kinds_are_refused() {
    assert_eq!(table(&header(1, 1), FILE_BYTES), Err(Malformed));
    let mut first = header(FIXED, 1);
    first[18] = 3;
    assert_eq!(table(&first, FILE_BYTES), Err(Malformed));
    first = header(FIXED, 1);
    first[4] = 1;
    assert_eq!(table(&first, FILE_BYTES), Err(Malformed));
}

#[test]
fn an_interpreter_path_outside_the_file_is_refused() {
    let mut path = ProgramHeader { kind: KIND_INTERPRETER, offset: 0x2ff0, file_bytes: 0x10, ..ProgramHeader::default() };
    assert_eq!(plan(FIXED, &[path, code()]).unwrap().interpreter, Some((0x2ff0, 0x10)));
    path.file_bytes = 0x11;
    assert_eq!(plan(FIXED, &[path, code()]), Err(Malformed));
}

#[test]
fn random_bytes_never_panic() {
    let mut state = 0x1234_5678_9abc_def0u64;
    for _ in 0..20_000 {
        let mut first = header(FIXED, 2);
        let mut rest: Vec<u8> = [code(), data()].iter().flat_map(entry).collect();
        for _ in 0..6 {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            let place = (state >> 33) as usize % (first.len() + rest.len());
            let value = (state >> 25) as u8;
            match place.checked_sub(first.len()) {
                Some(place) => rest[place] = value,
                None => first[place] = value,
            }
        }
        if let Ok(table) = table(&first, FILE_BYTES) {
            let _ = image(&table, &rest, FILE_BYTES);
        }
    }
}
