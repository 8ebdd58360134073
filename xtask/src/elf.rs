//! 64-bit little-endian ELF files, as far as this tool looks into them: sections, symbols, and who needs an interpreter.
//!
//! Invariant: every offset is checked against the file before it is used; a broken file is an error, not a panic.

use crate::error::{Failure, Outcome};

const SYMBOL_TABLE: u32 = 2;
const NO_BITS: u32 = 8;
const EXECUTABLE: u64 = 4;
const INTERPRETER: u32 = 3;

#[derive(Debug, Clone)]
pub struct Section {
    pub name: String,
    kind: u32,
    flags: u64,
    pub offset: usize,
    pub size: usize,
    link: usize,
}

impl Section {
    /// Whether the section has room in the file (and not only in memory).
    pub fn is_in_file(&self) -> bool {
        self.kind != NO_BITS
    }
}

#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Symbol {
    pub address: u64,
    pub size: u64,
    pub name: String,
}

pub struct Elf<'a> {
    bytes: &'a [u8],
    pub sections: Vec<Section>,
}

impl<'a> Elf<'a> {
    pub fn parse(bytes: &'a [u8]) -> Outcome<Self> {
        if bytes.get(..6) != Some(b"\x7fELF\x02\x01") {
            return Err(Failure::new("not a 64-bit little-endian ELF file"));
        }
        let table = long(bytes, 0x28)? as usize;
        let (entry, count, names) = (half(bytes, 0x3a)?, half(bytes, 0x3c)?, half(bytes, 0x3e)?);
        if table.checked_add(count * entry).is_none_or(|end| end > bytes.len()) {
            return Err(cut_short());
        }
        let headers = (0..count).map(|index| section(bytes, table.saturating_add(index * entry))).collect::<Outcome<Vec<_>>>()?;
        let strings = headers.get(names).map(|(_, section)| section.clone());
        let mut sections = Vec::new();
        for (name_at, mut section) in headers {
            if let Some(strings) = &strings {
                section.name = text(bytes, strings, name_at)?;
            }
            sections.push(section);
        }
        Ok(Self { bytes, sections })
    }

    pub fn section(&self, name: &str) -> Option<&Section> {
        self.sections.iter().find(|section| section.name == name)
    }

    /// The names of code, by address: functions, and the labels of assembly.
    pub fn code_symbols(&self) -> Outcome<Vec<Symbol>> {
        let Some(table) = self.sections.iter().find(|section| section.kind == SYMBOL_TABLE) else {
            return Ok(Vec::new());
        };
        let Some(strings) = self.sections.get(table.link) else {
            return Err(Failure::new("the symbol table has no names"));
        };
        let mut symbols = Vec::new();
        for at in (0..table.size / 24).map(|index| table.offset + index * 24) {
            let kind = byte(self.bytes, at + 4)? & 0xf;
            let home = self.sections.get(half(self.bytes, at + 6)?);
            let is_code = home.is_some_and(|section| section.flags & EXECUTABLE != 0);
            if !is_code || !(kind == 2 || kind == 0) {
                continue;
            }
            let name = text(self.bytes, strings, word(self.bytes, at)? as usize)?;
            if name.is_empty() || name.starts_with(".L") || name.starts_with('$') {
                continue;
            }
            symbols.push(Symbol { address: long(self.bytes, at + 8)?, size: long(self.bytes, at + 16)?, name });
        }
        symbols.sort();
        symbols.dedup_by_key(|symbol| symbol.address);
        Ok(symbols)
    }
}

/// Whether a program asks for a dynamic loader (and so cannot be the only file of a root).
pub fn needs_interpreter(bytes: &[u8]) -> Outcome<bool> {
    Elf::parse(bytes)?;
    let table = long(bytes, 0x20)? as usize;
    let (entry, count) = (half(bytes, 0x36)?, half(bytes, 0x38)?);
    for index in 0..count {
        if word(bytes, table.saturating_add(index * entry))? == INTERPRETER {
            return Ok(true);
        }
    }
    Ok(false)
}

/// Where in physical memory a program ends that is loaded as its headers say; they stand in `head`, the file's beginning.
pub fn end_of_load(head: &[u8]) -> Outcome<u64> {
    const LOAD: u32 = 1;
    let table = long(head, 0x20)? as usize;
    let (entry, count) = (half(head, 0x36)?, half(head, 0x38)?);
    let mut end = 0;
    for at in (0..count).map(|index| table.saturating_add(index * entry)) {
        if word(head, at)? == LOAD {
            end = end.max(long(head, at.saturating_add(0x18))?.saturating_add(long(head, at.saturating_add(0x28))?));
        }
    }
    Ok(end)
}

fn section(bytes: &[u8], at: usize) -> Outcome<(usize, Section)> {
    let section = Section {
        name: String::new(),
        kind: word(bytes, at.saturating_add(4))?,
        flags: long(bytes, at.saturating_add(8))?,
        offset: long(bytes, at.saturating_add(0x18))? as usize,
        size: long(bytes, at.saturating_add(0x20))? as usize,
        link: word(bytes, at.saturating_add(0x28))? as usize,
    };
    let end = section.offset.checked_add(section.size);
    if section.is_in_file() && end.is_none_or(|end| end > bytes.len()) {
        return Err(Failure::new("a section reaches beyond the end of the ELF file"));
    }
    Ok((word(bytes, at)? as usize, section))
}

fn text(bytes: &[u8], strings: &Section, at: usize) -> Outcome<String> {
    let table = bytes.get(strings.offset..strings.offset.saturating_add(strings.size)).unwrap_or_default();
    let tail = table.get(at..).ok_or_else(|| Failure::new("a name lies outside of the ELF file's names"))?;
    let end = tail.iter().position(|&byte| byte == 0).unwrap_or(tail.len());
    Ok(String::from_utf8_lossy(&tail[..end]).into_owned())
}

fn byte(bytes: &[u8], at: usize) -> Outcome<u8> {
    bytes.get(at).copied().ok_or_else(cut_short)
}

fn half(bytes: &[u8], at: usize) -> Outcome<usize> {
    let field = bytes.get(at..at.saturating_add(2)).and_then(|field| field.try_into().ok());
    field.map(|field| usize::from(u16::from_le_bytes(field))).ok_or_else(cut_short)
}

fn word(bytes: &[u8], at: usize) -> Outcome<u32> {
    let field = bytes.get(at..at.saturating_add(4)).and_then(|field| field.try_into().ok());
    field.map(u32::from_le_bytes).ok_or_else(cut_short)
}

fn long(bytes: &[u8], at: usize) -> Outcome<u64> {
    let field = bytes.get(at..at.saturating_add(8)).and_then(|field| field.try_into().ok());
    field.map(u64::from_le_bytes).ok_or_else(cut_short)
}

fn cut_short() -> Failure {
    Failure::new("the ELF file is cut short")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn this_program() -> Vec<u8> {
        std::fs::read(std::env::current_exe().unwrap()).unwrap()
    }

    #[test]
    fn this_test_program_has_text_and_an_interpreter() {
        let bytes = this_program();
        assert!(Elf::parse(&bytes).unwrap().section(".text").is_some_and(|text| text.size > 1000));
        assert!(end_of_load(&bytes).unwrap() > 0x1000);
        assert!(needs_interpreter(&bytes).unwrap());
    }

    #[test]
    fn code_symbols_come_sorted_and_each_address_once() {
        let bytes = this_program();
        let symbols = Elf::parse(&bytes).unwrap().code_symbols().unwrap();
        assert!(symbols.iter().any(|symbol| symbol.name.contains("code_symbols_come_sorted")));
        assert!(symbols.is_sorted_by(|one, next| one.address < next.address));
    }

    #[test]
    fn a_file_cut_short_anywhere_is_an_error_and_not_a_panic() {
        let bytes = this_program();
        let here_and_there = (0..bytes.len()).step_by(bytes.len() / 50);
        for length in here_and_there.chain(bytes.len() - 64..bytes.len()) {
            assert!(Elf::parse(&bytes[..length]).is_err(), "{length} of {} bytes", bytes.len());
        }
    }
}
