//! A file's blocks as a tree of extents.
//!
//! Invariant: each step leads to a node whose depth is one less, so a search takes at most `DEEPEST` of them.

use abi::Errno;
use sync::TaskContext;

use super::fields::Fields;
use super::layout::Inode;
use super::volume::Volume;

const MAGIC: u16 = 0xf30a;
const HEADER: usize = 12;
const ENTRY: usize = 12;
const DEEPEST: u16 = 5;
/// Longer extents are reserved, and read as zeros.
const LONGEST_WRITTEN: u16 = 32768;

/// Blocks of a file that follow each other on the disk, or are nowhere.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Run {
    /// Where the first of them is; `None`: they read as zeros.
    pub disk: Option<u64>,
    /// How many, at least 1.
    pub blocks: u64,
}

/// Where block `wanted` of a file is, and how many follow it.
pub(super) fn find(cx: &mut TaskContext, volume: &Volume, inode: &Inode, wanted: u64) -> Result<Run, Errno> {
    let beyond = u64::from(u32::MAX) + 1;
    if wanted >= beyond {
        return Err(Errno::EUCLEAN);
    }
    let mut node = inode.map.to_vec();
    let mut limit = beyond;
    let mut depth = Fields(&node).word(6)?;
    if depth > DEEPEST {
        return Err(Errno::EUCLEAN);
    }
    loop {
        let (entry, next) = search(&node, depth, wanted)?;
        limit = next.map_or(limit, |next| next.min(limit));
        let Some(entry) = entry else { return Ok(hole(wanted, limit)) };
        if depth == 0 {
            return leaf(volume, Fields(entry), wanted, limit);
        }
        let fields = Fields(entry);
        let block = u64::from(fields.word(8)?) << 32 | u64::from(fields.long(4)?);
        node = volume.block(cx, block)?;
        depth -= 1;
    }
}

fn hole(wanted: u64, limit: u64) -> Run {
    Run { disk: None, blocks: limit.saturating_sub(wanted).max(1) }
}

type Entries<'a> = (Option<&'a [u8]>, Option<u64>);

/// The last entry that does not begin behind `wanted`, and where the one after it begins.
fn search(node: &[u8], depth: u16, wanted: u64) -> Result<Entries<'_>, Errno> {
    let fields = Fields(node);
    let count = usize::from(fields.word(2)?);
    if fields.word(0)? != MAGIC || fields.word(6)? != depth || HEADER + count * ENTRY > node.len() {
        return Err(Errno::EUCLEAN);
    }
    let mut found = None;
    for entry in fields.part(HEADER, count * ENTRY)?.chunks_exact(ENTRY) {
        let first = u64::from(Fields(entry).long(0)?);
        if first > wanted {
            return Ok((found, Some(first)));
        }
        found = Some(entry);
    }
    Ok((found, None))
}

fn leaf(volume: &Volume, extent: Fields<'_>, wanted: u64, limit: u64) -> Result<Run, Errno> {
    let (first, length) = (u64::from(extent.long(0)?), extent.word(4)?);
    let is_written = length <= LONGEST_WRITTEN;
    let length = u64::from(if is_written { length } else { length - LONGEST_WRITTEN });
    let start = u64::from(extent.word(6)?) << 32 | u64::from(extent.long(8)?);
    let offset = wanted - first;
    if offset >= length {
        return Ok(hole(wanted, limit));
    }
    let blocks = length - offset;
    if !is_written {
        return Ok(Run { disk: None, blocks });
    }
    volume.superblock.check_block(start)?;
    volume.superblock.check_block(start + length - 1)?;
    Ok(Run { disk: Some(start + offset), blocks })
}
