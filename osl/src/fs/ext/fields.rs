//! Numbers in bytes from a disk, least byte first.
//!
//! Invariant: a number that lies outside of the bytes is an error, never a panic.

use abi::Errno;

/// Bytes that were read.
#[derive(Clone, Copy)]
pub(super) struct Fields<'a>(pub &'a [u8]);

impl<'a> Fields<'a> {
    pub(super) fn part(self, at: usize, length: usize) -> Result<&'a [u8], Errno> {
        let end = at.checked_add(length).ok_or(Errno::EUCLEAN)?;
        self.0.get(at..end).ok_or(Errno::EUCLEAN)
    }

    fn bytes<const N: usize>(self, at: usize) -> Result<[u8; N], Errno> {
        self.part(at, N)?.try_into().map_err(|_| Errno::EUCLEAN)
    }

    pub(super) fn byte(self, at: usize) -> Result<u8, Errno> {
        self.bytes::<1>(at).map(|[byte]| byte)
    }

    pub(super) fn word(self, at: usize) -> Result<u16, Errno> {
        self.bytes(at).map(u16::from_le_bytes)
    }

    pub(super) fn long(self, at: usize) -> Result<u32, Errno> {
        self.bytes(at).map(u32::from_le_bytes)
    }

    /// A number of 64 bits whose halves stand apart.
    pub(super) fn halves(self, low: usize, high: usize) -> Result<u64, Errno> {
        Ok(u64::from(self.long(high)?) << 32 | u64::from(self.long(low)?))
    }
}
