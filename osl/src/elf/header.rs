//! The ELF file header and one entry of its program headers, byte by byte.
//!
//! Invariant: nothing is believed here; fields are read, their meaning is checked in `parse`.

/// Bytes of the file header.
pub const HEADER_BYTES: usize = 64;
/// Bytes of one program header.
pub const SEGMENT_BYTES: usize = 56;

/// Kinds of files.
pub const FIXED: u16 = 2;
/// A file that may be put anywhere.
pub const MOVABLE: u16 = 3;
/// The only machine: x86-64.
pub const MACHINE: u16 = 62;

/// A piece that is mapped.
pub const KIND_LOAD: u32 = 1;
/// The path of another program that is to start this one.
pub const KIND_INTERPRETER: u32 = 3;
/// Where the program headers are in memory.
pub const KIND_HEADERS: u32 = 6;
/// Whether the stack may be run.
pub const KIND_STACK: u32 = 0x6474_e551;

/// May be run.
pub const EXECUTE: u32 = 1;
/// May be written.
pub const WRITE: u32 = 2;
/// May be read.
pub const READ: u32 = 4;

/// What the first bytes of every such file say.
const IDENTITY: [u8; 7] = [0x7f, b'E', b'L', b'F', 2, 1, 1];

/// The fields of the file header that matter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FileHeader {
    /// `FIXED` or `MOVABLE`, if it is right.
    pub kind: u16,
    /// `MACHINE`, if it is right.
    pub machine: u16,
    /// Where the program starts.
    pub entry: u64,
    /// Where in the file the program headers stand.
    pub table: u64,
    /// Bytes of one of them.
    pub entry_bytes: u16,
    /// How many.
    pub count: u16,
}

/// One program header.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ProgramHeader {
    /// One of the `KIND_` numbers.
    pub kind: u32,
    /// `READ`, `WRITE`, `EXECUTE`.
    pub flags: u32,
    /// Where in the file.
    pub offset: u64,
    /// Where in memory.
    pub address: u64,
    /// Bytes in the file.
    pub file_bytes: u64,
    /// Bytes in memory.
    pub memory_bytes: u64,
    /// Alignment.
    pub align: u64,
}

fn word<const N: usize>(bytes: &[u8], at: usize) -> Option<[u8; N]> {
    bytes.get(at..)?.first_chunk::<N>().copied()
}

impl FileHeader {
    /// Reads the header; `None` when the bytes are too few or do not begin as a 64-bit little-endian ELF file does.
    pub fn read(bytes: &[u8]) -> Option<Self> {
        if !bytes.starts_with(&IDENTITY) || bytes.len() < HEADER_BYTES {
            return None;
        }
        Some(Self {
            kind: u16::from_le_bytes(word(bytes, 16)?),
            machine: u16::from_le_bytes(word(bytes, 18)?),
            entry: u64::from_le_bytes(word(bytes, 24)?),
            table: u64::from_le_bytes(word(bytes, 32)?),
            entry_bytes: u16::from_le_bytes(word(bytes, 54)?),
            count: u16::from_le_bytes(word(bytes, 56)?),
        })
    }
}

impl ProgramHeader {
    /// Reads one program header.
    pub fn read(bytes: &[u8]) -> Option<Self> {
        Some(Self {
            kind: u32::from_le_bytes(word(bytes, 0)?),
            flags: u32::from_le_bytes(word(bytes, 4)?),
            offset: u64::from_le_bytes(word(bytes, 8)?),
            address: u64::from_le_bytes(word(bytes, 16)?),
            file_bytes: u64::from_le_bytes(word(bytes, 32)?),
            memory_bytes: u64::from_le_bytes(word(bytes, 40)?),
            align: u64::from_le_bytes(word(bytes, 48)?),
        })
    }
}
