//! Files so small that they stand in their own record: the first 60 bytes where block numbers would be, the rest among the
//! extended attributes behind it.
//!
//! Invariant: pure. The list of attributes is followed to the end of the record and no further.

use alloc::vec::Vec;

use abi::Errno;

use super::fields::Fields;
use super::layout::{Inode, MAP_BYTES};

const SHORT_RECORD: usize = 128;
const MAGIC: u32 = 0xea02_0000;
const ENTRY: usize = 16;
const SYSTEM: u8 = 7;
const NAME: &[u8] = b"data";

/// All bytes of the file; `record` is all of its record.
pub(super) fn content(record: &[u8], inode: &Inode) -> Result<Vec<u8>, Errno> {
    let mut content = inode.map.to_vec();
    if inode.size > MAP_BYTES as u64 {
        content.extend_from_slice(rest(record)?);
    }
    let length = usize::try_from(inode.size).map_err(|_| Errno::EUCLEAN)?;
    if length > content.len() {
        return Err(Errno::EUCLEAN);
    }
    content.truncate(length);
    Ok(content)
}

/// The value of the attribute `system.data`.
fn rest(record: &[u8]) -> Result<&[u8], Errno> {
    let fields = Fields(record);
    let start = SHORT_RECORD + usize::from(fields.word(SHORT_RECORD)?);
    if fields.long(start)? != MAGIC {
        return Err(Errno::EUCLEAN);
    }
    let values = start + 4;
    let mut at = values;
    while fields.long(at)? != 0 {
        let name_length = usize::from(fields.byte(at)?);
        let name = fields.part(at + ENTRY, name_length)?;
        if fields.byte(at + 1)? == SYSTEM && name == NAME {
            let offset = usize::from(fields.word(at + 2)?);
            let length = usize::try_from(fields.long(at + 8)?).map_err(|_| Errno::EUCLEAN)?;
            return fields.part(values + offset, length);
        }
        at += (ENTRY + name_length).next_multiple_of(4);
    }
    Err(Errno::EUCLEAN)
}
