//! Reading tables out of physical memory, piece by piece.
//!
//! Invariant: no table is longer than `LONGEST`; sums of addresses do not wrap.

/// Longer than any real table; what claims more is broken.
pub(super) const LONGEST: u32 = 1 << 20;
pub(super) const HEADER: u64 = 36;
const CHUNK: usize = 256;

/// Where tables are read from: physical memory, or a test's bytes.
pub trait Memory {
    /// Fills `into` from `address` on; false when that is not memory.
    fn read(&self, address: u64, into: &mut [u8]) -> bool;
}

/// A table that is there as a whole, with the right sum.
#[derive(Clone, Copy)]
pub(super) struct Table<'a> {
    memory: &'a dyn Memory,
    pub signature: [u8; 4],
    at: u64,
    length: u64,
}

pub(super) fn bytes<const N: usize>(memory: &dyn Memory, at: u64) -> Option<[u8; N]> {
    let mut bytes = [0; N];
    at.checked_add(N as u64)?;
    memory.read(at, &mut bytes).then_some(bytes)
}

/// The sum of all bytes must be zero.
pub(super) fn sums_to_zero(memory: &dyn Memory, at: u64, length: u64) -> bool {
    let mut sum = 0u8;
    let mut done = 0;
    let mut chunk = [0; CHUNK];
    while done < length {
        let piece = &mut chunk[..(length - done).min(CHUNK as u64) as usize];
        if !memory.read(at + done, piece) {
            return false;
        }
        sum = piece.iter().fold(sum, |sum, byte| sum.wrapping_add(*byte));
        done += piece.len() as u64;
    }
    sum == 0
}

impl<'a> Table<'a> {
    /// The table at `at`, if its header makes sense and its sum is right.
    pub fn open(memory: &'a dyn Memory, at: u64) -> Option<Self> {
        let [s0, s1, s2, s3, l0, l1, l2, l3] = bytes::<8>(memory, at)?;
        let length = u32::from_le_bytes([l0, l1, l2, l3]);
        if u64::from(length) < HEADER || length > LONGEST || at.checked_add(u64::from(length)).is_none() {
            return None;
        }
        let table = Table { memory, signature: [s0, s1, s2, s3], at, length: u64::from(length) };
        sums_to_zero(memory, at, table.length).then_some(table)
    }

    pub fn length(&self) -> u64 {
        self.length
    }

    /// `N` bytes at `offset`, if they lie inside the table.
    pub fn bytes<const N: usize>(&self, offset: u64) -> Option<[u8; N]> {
        let end = offset.checked_add(N as u64)?;
        if end > self.length {
            return None;
        }
        bytes(self.memory, self.at + offset)
    }

    pub fn byte(&self, offset: u64) -> Option<u8> {
        self.bytes::<1>(offset).map(|[byte]| byte)
    }

    pub fn word(&self, offset: u64) -> Option<u16> {
        self.bytes(offset).map(u16::from_le_bytes)
    }

    pub fn long(&self, offset: u64) -> Option<u32> {
        self.bytes(offset).map(u32::from_le_bytes)
    }

    pub fn quad(&self, offset: u64) -> Option<u64> {
        self.bytes(offset).map(u64::from_le_bytes)
    }
}
