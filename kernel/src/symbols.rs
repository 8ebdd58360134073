//! Names for addresses of kernel code, for the panic report.
//!
//! Invariant: the table is written into the kernel file after linking and never changes; a file without one gives no names.
//!
//! Layout: magic u64, count u32, length of names u32, then `count` entries (address u64, name offset u32, name length u32) by
//! address, then the names.

/// "BRIDSYMS", read as a little-endian number.
pub const MAGIC: u64 = u64::from_le_bytes(*b"BRIDSYMS");
const HEAD: usize = 16;
const ENTRY: usize = 16;
/// Room kept in the kernel file.
const ROOM: usize = 1 << 20;

#[repr(C, align(16))]
struct Room([u8; ROOM]);

#[used]
#[unsafe(link_section = ".symbols")]
static TABLE: Room = Room([0; ROOM]);

/// The function that `address` is in, and how far in.
pub fn find(address: u64) -> Option<(&'static str, u64)> {
    // The linker's view of the table is all zeroes; `black_box` makes the compiler read what is really there.
    let table = core::hint::black_box(&TABLE);
    find_in(&table.0, address)
}

fn find_in(table: &[u8], address: u64) -> Option<(&str, u64)> {
    if number::<8>(table, 0)? != MAGIC {
        return None;
    }
    let count = usize::try_from(number::<4>(table, 8)?).ok()?;
    let names = HEAD.checked_add(count.checked_mul(ENTRY)?)?;
    let (mut low, mut high) = (0, count);
    while low < high {
        let middle = low.midpoint(high);
        if number::<8>(table, HEAD + middle * ENTRY)? <= address {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    let entry = HEAD + low.checked_sub(1)? * ENTRY;
    let start = number::<8>(table, entry)?;
    let offset = names.checked_add(usize::try_from(number::<4>(table, entry + 8)?).ok()?)?;
    let length = usize::try_from(number::<4>(table, entry + 12)?).ok()?;
    let name = core::str::from_utf8(table.get(offset..offset.checked_add(length)?)?).ok()?;
    Some((name, address - start))
}

/// The little-endian number of `WIDTH` bytes at `at`.
fn number<const WIDTH: usize>(table: &[u8], at: usize) -> Option<u64> {
    let bytes = table.get(at..at.checked_add(WIDTH)?)?;
    Some(bytes.iter().rev().fold(0, |value, &byte| value << 8 | u64::from(byte)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::vec::Vec;

    fn table(entries: &[(u64, &str)]) -> Vec<u8> {
        let names: Vec<u8> = entries.iter().flat_map(|(_, name)| name.bytes()).collect();
        let mut table = MAGIC.to_le_bytes().to_vec();
        table.extend((entries.len() as u32).to_le_bytes());
        table.extend((names.len() as u32).to_le_bytes());
        let mut offset = 0u32;
        for (address, name) in entries {
            table.extend(address.to_le_bytes());
            table.extend(offset.to_le_bytes());
            table.extend((name.len() as u32).to_le_bytes());
            offset += name.len() as u32;
        }
        table.extend(names);
        table
    }

    #[test]
    fn an_address_gets_the_function_that_starts_before_it() {
        let table = table(&[(100, "first"), (200, "second")]);
        assert_eq!(find_in(&table, 99), None);
        assert_eq!(find_in(&table, 100), Some(("first", 0)));
        assert_eq!(find_in(&table, 199), Some(("first", 99)));
        assert_eq!(find_in(&table, 5000), Some(("second", 4800)));
    }

    #[test]
    fn a_file_without_a_table_has_no_names() {
        assert_eq!(find_in(&[0; 64], 100), None);
        assert_eq!(find_in(&[], 100), None);
    }
}
