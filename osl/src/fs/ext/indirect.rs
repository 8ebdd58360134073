//! A file's blocks as lists of lists of lists of numbers.
//!
//! Invariant: a search goes down three lists at most.

use abi::Errno;
use sync::TaskContext;

use super::extents::Run;
use super::fields::Fields;
use super::layout::Inode;
use super::volume::Volume;

const DIRECT: u64 = 12;
/// How far it is looked whether blocks follow each other.
const LOOK_AHEAD: u64 = 64;
const NUMBER: u64 = 4;

/// Where block `wanted` of a file is, and how many follow it.
pub(super) fn find(cx: &mut TaskContext, volume: &Volume, inode: &Inode, wanted: u64) -> Result<Run, Errno> {
    let per_block = volume.superblock.block_bytes / NUMBER;
    if wanted < DIRECT {
        let list: alloc::vec::Vec<u64> = inode.map.chunks_exact(4).take(DIRECT as usize).map(number).collect();
        return follow(volume, list.get(wanted as usize..).unwrap_or_default());
    }
    let mut rest = wanted - DIRECT;
    let mut span = per_block;
    for level in 0..3 {
        if rest < span {
            let top = Fields(&inode.map).long((DIRECT as usize + level) * 4)?;
            return descend(cx, volume, u64::from(top), span, rest);
        }
        rest -= span;
        span = span.checked_mul(per_block).ok_or(Errno::EUCLEAN)?;
    }
    Err(Errno::EUCLEAN)
}

fn number(bytes: &[u8]) -> u64 {
    Fields(bytes).long(0).map_or(0, u64::from)
}

/// In the list at `block`, which stands for `span` blocks of the file, block `rest`.
fn descend(cx: &mut TaskContext, volume: &Volume, mut block: u64, mut span: u64, mut rest: u64) -> Result<Run, Errno> {
    let per_block = volume.superblock.block_bytes / NUMBER;
    loop {
        if block == 0 {
            return Ok(Run { disk: None, blocks: span - rest });
        }
        span /= per_block;
        let index = rest / span;
        rest %= span;
        let wanted = if span == 1 { (per_block - index).min(LOOK_AHEAD) } else { 1 };
        let at = volume.superblock.check_block(block)? * volume.superblock.block_bytes + index * NUMBER;
        let mut bytes = [0; (LOOK_AHEAD * NUMBER) as usize];
        let bytes = bytes.get_mut(..(wanted * NUMBER) as usize).ok_or(Errno::EUCLEAN)?;
        volume.disk.read(cx, at, bytes)?;
        if span == 1 {
            let list: alloc::vec::Vec<u64> = bytes.chunks_exact(4).map(number).collect();
            return follow(volume, &list);
        }
        block = number(bytes);
    }
}

/// How many blocks of the list follow the first one.
fn follow(volume: &Volume, list: &[u64]) -> Result<Run, Errno> {
    let Some((&first, _)) = list.split_first() else { return Err(Errno::EUCLEAN) };
    if first == 0 {
        let blocks = list.iter().take_while(|block| **block == 0).count() as u64;
        return Ok(Run { disk: None, blocks });
    }
    let blocks = list.iter().zip(first..).take_while(|(block, expected)| *block == expected).count() as u64;
    volume.superblock.check_block(first)?;
    volume.superblock.check_block(first + blocks - 1)?;
    Ok(Run { disk: Some(first), blocks })
}
