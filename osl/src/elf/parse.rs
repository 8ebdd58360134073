//! From the bytes of an ELF file to a plan of what is to be mapped where.
//!
//! Invariant: pure. In an `Image` every piece lies within the file and within the user half, pieces do not overlap in memory, offset
//! and address of each agree modulo the page size, and no sum of its numbers overflows.

use alloc::vec::Vec;

use super::header::{
    EXECUTE, FIXED, FileHeader, HEADER_BYTES, KIND_HEADERS, KIND_INTERPRETER, KIND_LOAD, KIND_STACK, MACHINE, MOVABLE, ProgramHeader,
    SEGMENT_BYTES,
};

/// The page size that offsets and addresses agree by.
pub const PAGE: u64 = 4096;
/// The end of the user half.
pub const USER_END: u64 = 0x7fff_ffff_f000;
/// Below this nothing is mapped, so that a null pointer faults.
pub const USER_START: u64 = 0x1000;
/// The most bytes of program headers.
const TABLE_LIMIT: usize = 65536;
/// The longest path of an interpreter.
const INTERPRETER_LIMIT: u64 = 4096;

/// Why a file is not a program.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Malformed;

/// One piece of the file and where it goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Segment {
    /// Where it begins in memory (plus the base, for a movable file).
    pub address: u64,
    /// Where it begins in the file.
    pub offset: u64,
    /// Bytes that come from the file.
    pub file_bytes: u64,
    /// Bytes in memory; those after the file's are zero.
    pub memory_bytes: u64,
    /// `READ`, `WRITE`, `EXECUTE` of the header.
    pub flags: u32,
}

impl Segment {
    /// The first page.
    pub fn start(&self) -> u64 {
        self.address & !(PAGE - 1)
    }

    /// The end of the last page. Cannot overflow: the piece lies in the user half.
    pub fn end(&self) -> u64 {
        (self.address + self.memory_bytes + PAGE - 1) & !(PAGE - 1)
    }
}

/// Where the program headers are to be read from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Table {
    /// Byte in the file.
    pub offset: u64,
    /// Bytes.
    pub bytes: usize,
    header: FileHeader,
}

/// The plan.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Image {
    /// Whether all addresses are relative to a base still to be chosen.
    pub is_movable: bool,
    /// Where it starts.
    pub entry: u64,
    /// What is mapped, by address.
    pub segments: Vec<Segment>,
    /// Where its path to another program that starts it stands: offset and length.
    pub interpreter: Option<(u64, usize)>,
    /// Where the program headers are in memory, 0 if they are not.
    pub headers: u64,
    /// How many program headers.
    pub header_count: u64,
    /// Whether it wants to run code on its stack.
    pub runs_stack: bool,
}

/// Reads the file header: where the program headers are.
pub fn table(first_bytes: &[u8], file_bytes: u64) -> Result<Table, Malformed> {
    let header = FileHeader::read(first_bytes).ok_or(Malformed)?;
    let is_program = matches!(header.kind, FIXED | MOVABLE) && header.machine == MACHINE;
    let bytes = usize::from(header.count) * SEGMENT_BYTES;
    if !is_program || usize::from(header.entry_bytes) != SEGMENT_BYTES || bytes == 0 || bytes > TABLE_LIMIT {
        return Err(Malformed);
    }
    let end = header.table.checked_add(bytes as u64).ok_or(Malformed)?;
    if end > file_bytes || header.table < HEADER_BYTES as u64 {
        return Err(Malformed);
    }
    Ok(Table { offset: header.table, bytes, header })
}

/// Reads the program headers and makes the plan.
pub fn image(table: &Table, table_bytes: &[u8], file_bytes: u64) -> Result<Image, Malformed> {
    let mut image = Image {
        is_movable: table.header.kind == MOVABLE,
        entry: table.header.entry,
        segments: Vec::new(),
        interpreter: None,
        headers: 0,
        header_count: u64::from(table.header.count),
        runs_stack: false,
    };
    if table_bytes.len() != table.bytes {
        return Err(Malformed);
    }
    for bytes in table_bytes.chunks_exact(SEGMENT_BYTES) {
        let header = ProgramHeader::read(bytes).ok_or(Malformed)?;
        add(&mut image, &header, file_bytes)?;
    }
    check_order(&image)?;
    if image.headers == 0 {
        image.headers = headers_in_memory(&image, table);
    }
    Ok(image)
}

fn add(image: &mut Image, header: &ProgramHeader, file_bytes: u64) -> Result<(), Malformed> {
    match header.kind {
        KIND_LOAD if header.memory_bytes == 0 => {}
        KIND_LOAD => image.segments.push(segment(header, image.is_movable, file_bytes)?),
        KIND_HEADERS => image.headers = header.address,
        KIND_STACK => image.runs_stack = header.flags & EXECUTE != 0,
        KIND_INTERPRETER if image.interpreter.is_none() => {
            let end = header.offset.checked_add(header.file_bytes).ok_or(Malformed)?;
            if header.file_bytes < 2 || header.file_bytes > INTERPRETER_LIMIT || end > file_bytes {
                return Err(Malformed);
            }
            let length = usize::try_from(header.file_bytes).map_err(|_| Malformed)?;
            image.interpreter = Some((header.offset, length));
        }
        _ => {}
    }
    Ok(())
}

fn segment(header: &ProgramHeader, is_movable: bool, file_bytes: u64) -> Result<Segment, Malformed> {
    let file_end = header.offset.checked_add(header.file_bytes).ok_or(Malformed)?;
    let memory_end = header.address.checked_add(header.memory_bytes).ok_or(Malformed)?;
    let lowest = if is_movable { 0 } else { USER_START };
    let fits = file_end <= file_bytes
        && header.file_bytes <= header.memory_bytes
        && header.address >= lowest
        && memory_end <= USER_END
        && header.offset % PAGE == header.address % PAGE;
    if !fits {
        return Err(Malformed);
    }
    Ok(Segment {
        address: header.address,
        offset: header.offset,
        file_bytes: header.file_bytes,
        memory_bytes: header.memory_bytes,
        flags: header.flags,
    })
}

/// At least one piece; each begins on a page after the one before; the entry is inside one of them.
fn check_order(image: &Image) -> Result<(), Malformed> {
    let in_order = image.segments.is_sorted_by(|one, next| one.end() <= next.start());
    let inside = |piece: &Segment| (piece.address..piece.address + piece.memory_bytes).contains(&image.entry);
    if image.segments.is_empty() || !in_order || !image.segments.iter().any(inside) {
        return Err(Malformed);
    }
    Ok(())
}

/// Where the program headers come to lie when a piece of the file holds them.
fn headers_in_memory(image: &Image, table: &Table) -> u64 {
    let end = table.offset.saturating_add(table.bytes as u64);
    let holds = |piece: &&Segment| piece.offset <= table.offset && end <= piece.offset + piece.file_bytes;
    image.segments.iter().find(holds).map_or(0, |piece| piece.address + (table.offset - piece.offset))
}

impl Image {
    /// The first and the end page of all pieces together.
    pub fn span(&self) -> (u64, u64) {
        let start = self.segments.first().map_or(0, Segment::start);
        let end = self.segments.last().map_or(0, Segment::end);
        (start, end)
    }
}

#[cfg(test)]
mod tests;
