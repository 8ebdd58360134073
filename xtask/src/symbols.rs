//! The kernel's own names for its addresses, written into the kernel file so that a panic can print them.
//!
//! Layout of the section `.symbols`, little-endian: magic u64, count u32, length of the names u32,
//! then count times (address u64, name offset u32, name length u32) by rising address, then the names, UTF-8, without end marks.

use std::path::Path;

use crate::elf::{Elf, Symbol};
use crate::error::{Explain, Failure, Outcome};

pub const MAGIC: u64 = 0x534d_5953_4449_5242;
const HEADER: usize = 16;
const ENTRY: usize = 16;
/// Names are cut to the first of these lengths at which all of them fit.
const NAME_LENGTHS: [usize; 6] = [240, 160, 120, 80, 50, 30];

/// Fills the section `.symbols` of a linked kernel. A kernel without that section is left as it is.
pub fn write_into(kernel: &Path) -> Outcome<()> {
    let mut bytes = std::fs::read(kernel).explain(format_args!("reading {}", kernel.display()))?;
    let elf = Elf::parse(&bytes)?;
    let Some(section) = elf.section(".symbols").cloned() else { return Ok(()) };
    if !section.is_in_file() {
        return Err(Failure::new("the kernel's section .symbols has no room in the file: it must not be NOBITS"));
    }
    let table = table(&elf.code_symbols()?, section.size);
    let place = &mut bytes[section.offset..section.offset + section.size];
    place.fill(0);
    place[..table.len()].copy_from_slice(&table);
    std::fs::write(kernel, &bytes).explain(format_args!("writing {}", kernel.display()))
}

/// The table in at most `room` bytes: names are shortened first, then the smallest functions are left out.
pub fn table(symbols: &[Symbol], room: usize) -> Vec<u8> {
    let named: Vec<(u64, u64, String)> =
        symbols.iter().map(|symbol| (symbol.address, symbol.size, format!("{:#}", rustc_demangle::demangle(&symbol.name)))).collect();
    for longest in NAME_LENGTHS {
        let cut: Vec<_> = named.iter().map(|(address, _, name)| (*address, shorten(name, longest))).collect();
        if length(&cut) <= room {
            return encode(&cut);
        }
    }
    let mut largest_first: Vec<_> = named.iter().collect();
    largest_first.sort_by_key(|(_, size, _)| std::cmp::Reverse(*size));
    let mut kept: Vec<(u64, &str)> = largest_first.iter().map(|(address, _, name)| (*address, shorten(name, NAME_LENGTHS[5]))).collect();
    while length(&kept) > room && kept.pop().is_some() {}
    kept.sort_unstable();
    if length(&kept) <= room { encode(&kept) } else { Vec::new() }
}

fn length(symbols: &[(u64, &str)]) -> usize {
    HEADER + symbols.iter().map(|(_, name)| ENTRY + name.len()).sum::<usize>()
}

fn encode(symbols: &[(u64, &str)]) -> Vec<u8> {
    let names: String = symbols.iter().map(|(_, name)| *name).collect();
    let mut table = Vec::with_capacity(length(symbols));
    table.extend(MAGIC.to_le_bytes());
    table.extend((symbols.len() as u32).to_le_bytes());
    table.extend((names.len() as u32).to_le_bytes());
    let mut offset = 0u32;
    for (address, name) in symbols {
        table.extend(address.to_le_bytes());
        table.extend(offset.to_le_bytes());
        table.extend((name.len() as u32).to_le_bytes());
        offset += name.len() as u32;
    }
    table.extend(names.as_bytes());
    table
}

fn shorten(name: &str, longest: usize) -> &str {
    let mut end = name.len().min(longest);
    while !name.is_char_boundary(end) {
        end -= 1;
    }
    &name[..end]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn symbols() -> Vec<Symbol> {
        let mangled = ["_ZN6kernel5panic6report17h0123456789abcdefE", "entry", "_ZN4sync4spin4lock17h0123456789abcdefE"];
        (0u64..).zip(mangled).map(|(at, name)| Symbol { address: 0x1000 + at, size: at, name: name.into() }).collect()
    }

    fn decode(table: &[u8]) -> Vec<(u64, String)> {
        let number = |at: usize| u32::from_le_bytes(table[at..at + 4].try_into().unwrap()) as usize;
        assert_eq!(table[..8], MAGIC.to_le_bytes());
        let names = HEADER + ENTRY * number(8);
        assert_eq!(table.len(), names + number(12));
        (0..number(8))
            .map(|index| {
                let at = HEADER + ENTRY * index;
                let name = names + number(at + 8);
                let address = u64::from_le_bytes(table[at..at + 8].try_into().unwrap());
                (address, String::from_utf8(table[name..name + number(at + 12)].to_vec()).unwrap())
            })
            .collect()
    }

    #[test]
    fn names_come_back_demangled_and_without_hashes() {
        let expected = [(0x1000, "kernel::panic::report"), (0x1001, "entry"), (0x1002, "sync::spin::lock")];
        assert_eq!(decode(&table(&symbols(), 4096)), expected.map(|(at, name)| (at, name.to_owned())));
    }

    #[test]
    fn a_table_never_outgrows_its_section_and_stays_readable() {
        for room in HEADER..200 {
            let table = table(&symbols(), room);
            assert!(table.len() <= room);
            assert!(decode(&table).is_sorted());
        }
    }
}
