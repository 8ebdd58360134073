//! The bytes of the superblock and of a file's record (its inode).
//!
//! Invariant: pure. What passes `parse` can be computed with: no size is 0 that is divided by, no product overflows.

use abi::Errno;
use abi::file::mode;

use super::super::node::Kind;
use super::fields::Fields;

/// Where the superblock stands, and how long it is.
pub(super) const SUPERBLOCK_AT: u64 = 1024;
pub(super) const SUPERBLOCK_BYTES: usize = 1024;
/// The number of the top directory.
pub(super) const ROOT: u32 = 2;

const MAGIC: u16 = 0xef53;

mod incompatible {
    pub const FILE_TYPES: u32 = 0x2;
    pub const RECOVER: u32 = 0x4;
    pub const META_GROUPS: u32 = 0x10;
    pub const EXTENTS: u32 = 0x40;
    pub const WIDE: u32 = 0x80;
    pub const MULTI_MOUNT: u32 = 0x100;
    pub const FLEXIBLE_GROUPS: u32 = 0x200;
    pub const LARGE_ATTRIBUTES: u32 = 0x400;
    pub const CHECKSUM_SEED: u32 = 0x2000;
    pub const LARGE_DIRECTORIES: u32 = 0x4000;
    pub const INLINE_DATA: u32 = 0x8000;
    /// What a reader has to know of and this one does.
    pub const KNOWN: u32 = FILE_TYPES
        | RECOVER
        | META_GROUPS
        | EXTENTS
        | WIDE
        | MULTI_MOUNT
        | FLEXIBLE_GROUPS
        | LARGE_ATTRIBUTES
        | CHECKSUM_SEED
        | LARGE_DIRECTORIES
        | INLINE_DATA;
}

const SPARSE_SUPERBLOCKS: u32 = 0x1;
const HAS_JOURNAL: u32 = 0x4;

/// What the superblock says.
#[derive(Clone, Debug)]
pub(super) struct Superblock {
    pub block_bytes: u64,
    pub blocks: u64,
    pub free_blocks: u64,
    pub reserved_blocks: u64,
    pub overhead: u64,
    pub inodes: u32,
    pub free_inodes: u32,
    pub inode_bytes: u64,
    pub first_inode: u32,
    pub identifier: [i32; 2],
    pub has_file_types: bool,
    /// "ext4", "ext3" or "ext2", by what it uses.
    pub kind: &'static str,
    first_block: u64,
    blocks_per_group: u64,
    inodes_per_group: u32,
    group_bytes: u64,
    first_meta_group: Option<u64>,
    has_sparse_copies: bool,
}

/// Why a disk is not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Refused {
    /// There is no such file system on it.
    NotExt,
    /// It uses what this reader does not know.
    Unknown(u32),
    /// Its journal holds what was not written to its place yet.
    NeedsRecovery,
    /// Its superblock makes no sense.
    Damaged,
}

impl From<Errno> for Refused {
    fn from(_: Errno) -> Self {
        Self::Damaged
    }
}

impl Superblock {
    pub(super) fn parse(bytes: &[u8], disk_bytes: u64) -> Result<Self, Refused> {
        let fields = Fields(bytes);
        if fields.word(0x38)? != MAGIC {
            return Err(Refused::NotExt);
        }
        let is_old = fields.long(0x4c)? == 0;
        let (compatible, incompatible, read_only) =
            if is_old { (0, 0, 0) } else { (fields.long(0x5c)?, fields.long(0x60)?, fields.long(0x64)?) };
        if incompatible & !incompatible::KNOWN != 0 {
            return Err(Refused::Unknown(incompatible & !incompatible::KNOWN));
        }
        if incompatible & incompatible::RECOVER != 0 {
            return Err(Refused::NeedsRecovery);
        }
        let is_wide = incompatible & incompatible::WIDE != 0;
        let wide = |low, high| if is_wide { fields.halves(low, high) } else { fields.long(low).map(u64::from) };
        let has_meta_groups = incompatible & incompatible::META_GROUPS != 0;
        let identity = (fields.halves(0x68, 0x6c)?, fields.halves(0x70, 0x74)?);
        let folded = identity.0 ^ identity.1;
        let superblock = Self {
            block_bytes: 1024_u64.checked_shl(fields.long(0x18)?).unwrap_or(0),
            blocks: wide(0x04, 0x150)?,
            free_blocks: wide(0x0c, 0x158)?,
            reserved_blocks: wide(0x08, 0x154)?,
            overhead: u64::from(fields.long(0x248)?),
            inodes: fields.long(0x00)?,
            free_inodes: fields.long(0x10)?,
            inode_bytes: if is_old { 128 } else { u64::from(fields.word(0x58)?) },
            first_inode: if is_old { 11 } else { fields.long(0x54)? },
            identifier: [folded as u32 as i32, (folded >> 32) as u32 as i32],
            has_file_types: incompatible & incompatible::FILE_TYPES != 0,
            kind: kind_of(compatible, incompatible),
            first_block: u64::from(fields.long(0x14)?),
            blocks_per_group: u64::from(fields.long(0x20)?),
            inodes_per_group: fields.long(0x28)?,
            group_bytes: if is_wide { u64::from(fields.word(0xfe)?) } else { 32 },
            first_meta_group: if has_meta_groups { Some(u64::from(fields.long(0x104)?)) } else { None },
            has_sparse_copies: read_only & SPARSE_SUPERBLOCKS != 0,
        };
        if superblock.makes_sense(disk_bytes) { Ok(superblock) } else { Err(Refused::Damaged) }
    }

    fn makes_sense(&self, disk_bytes: u64) -> bool {
        let is_block = self.block_bytes.is_power_of_two() && (1024..=65536).contains(&self.block_bytes);
        let is_inode = self.inode_bytes.is_power_of_two() && self.inode_bytes >= 128 && self.inode_bytes <= self.block_bytes.min(4096);
        let is_group = self.group_bytes.is_power_of_two() && self.group_bytes >= 32 && self.group_bytes <= self.block_bytes;
        is_block
            && is_inode
            && is_group
            && self.blocks.checked_mul(self.block_bytes).is_some_and(|bytes| bytes <= disk_bytes)
            && self.first_block < self.blocks
            && self.first_block <= 1
            && self.blocks_per_group > 0
            && self.blocks_per_group <= self.block_bytes * 8 * 65536
            && self.inodes_per_group > 0
            && self.inodes >= ROOT
            && u64::from(self.inodes - 1) / u64::from(self.inodes_per_group) < self.groups()
    }

    fn groups(&self) -> u64 {
        (self.blocks - self.first_block).div_ceil(self.blocks_per_group)
    }

    /// The group that a file's record is in, and its number there.
    pub(super) fn place_of(&self, inode: u32) -> Result<(u64, u64), Errno> {
        let is_own = inode == ROOT || inode >= self.first_inode;
        if inode == 0 || inode > self.inodes || !is_own {
            return Err(Errno::EUCLEAN);
        }
        Ok((u64::from((inode - 1) / self.inodes_per_group), u64::from((inode - 1) % self.inodes_per_group)))
    }

    /// Where on the disk a group's description is.
    pub(super) fn group_at(&self, group: u64) -> u64 {
        let per_block = self.block_bytes / self.group_bytes;
        let block = match self.first_meta_group {
            Some(first) if group / per_block >= first => {
                let start = group / per_block * per_block;
                self.first_block + start.saturating_mul(self.blocks_per_group) + u64::from(self.has_copy(start))
            }
            _ => self.first_block + 1 + group / per_block,
        };
        block.saturating_mul(self.block_bytes).saturating_add(group % per_block * self.group_bytes)
    }

    /// Does a copy of the superblock stand at the group's beginning?
    fn has_copy(&self, group: u64) -> bool {
        let is_power_of = |base: u64| {
            core::iter::successors(Some(base), |power| power.checked_mul(base)).take_while(|power| *power <= group).last() == Some(group)
        };
        group <= 1 || !self.has_sparse_copies || [3, 5, 7].into_iter().any(is_power_of)
    }

    pub(super) fn group_bytes(&self) -> usize {
        self.group_bytes as usize
    }

    /// The block where a group's records begin.
    pub(super) fn table_of(&self, group: &[u8]) -> Result<u64, Errno> {
        let fields = Fields(group);
        let table = if self.group_bytes >= 64 { fields.halves(0x08, 0x28)? } else { u64::from(fields.long(0x08)?) };
        self.check_block(table)
    }

    /// A block that a file may use.
    pub(super) fn check_block(&self, block: u64) -> Result<u64, Errno> {
        if block > self.first_block && block < self.blocks { Ok(block) } else { Err(Errno::EUCLEAN) }
    }
}

fn kind_of(compatible: u32, incompatible: u32) -> &'static str {
    match () {
        () if incompatible & (incompatible::EXTENTS | incompatible::WIDE | incompatible::FLEXIBLE_GROUPS) != 0 => "ext4",
        () if compatible & HAS_JOURNAL != 0 => "ext3",
        () => "ext2",
    }
}

/// What is meant by a file's block numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Mapping {
    Extents,
    Indirect,
    /// There are none: the bytes stand in the record itself.
    Inline,
}

/// A file's record.
#[derive(Clone)]
pub(super) struct Inode {
    pub kind: Kind,
    pub mode: u32,
    pub user: u32,
    pub group: u32,
    pub size: u64,
    pub links: u64,
    /// In units of 512 bytes.
    pub blocks: u64,
    pub accessed: u64,
    pub modified: u64,
    pub changed: u64,
    pub mapping: Mapping,
    /// The root of its extents, its block numbers, or the first of its bytes.
    pub map: [u8; MAP_BYTES],
    /// Blocks of attributes beside the record, of 512 bytes.
    attribute_blocks: u64,
}

pub(super) const MAP_BYTES: usize = 60;
const EXTENTS_FLAG: u32 = 0x8_0000;
const HUGE_FLAG: u32 = 0x4_0000;
const INLINE_FLAG: u32 = 0x1000_0000;
const SECOND: u64 = 1_000_000_000;
/// Further than any reader's arithmetic goes.
const LARGEST: u64 = 1 << 60;

impl Inode {
    pub(super) fn parse(bytes: &[u8], superblock: &Superblock) -> Result<Self, Errno> {
        let fields = Fields(bytes);
        let mode_word = u32::from(fields.word(0x00)?);
        let kind = Kind::of_mode(mode_word).ok_or(Errno::EUCLEAN)?;
        let links = u64::from(fields.word(0x1a)?);
        let flags = fields.long(0x20)?;
        let size = fields.halves(0x04, 0x6c)?;
        let wide = |low: u16, high: u16| u32::from(high) << 16 | u32::from(low);
        let unit = if flags & HUGE_FLAG != 0 { superblock.block_bytes / 512 } else { 1 };
        let blocks = u64::from(fields.word(0x74)?) << 32 | u64::from(fields.long(0x1c)?);
        let has_attribute_block = fields.long(0x68)? != 0;
        let mapping = match () {
            () if flags & INLINE_FLAG != 0 => Mapping::Inline,
            () if flags & EXTENTS_FLAG != 0 => Mapping::Extents,
            () => Mapping::Indirect,
        };
        let extra = bytes.len() > 128 && fields.word(0x80)? >= 16;
        let time = |at, extra_at| moment(fields.long(at)?, if extra { fields.long(extra_at)? } else { 0 });
        let inode = Self {
            kind,
            mode: mode_word & mode::PERMISSIONS,
            user: wide(fields.word(0x02)?, fields.word(0x78)?),
            group: wide(fields.word(0x18)?, fields.word(0x7a)?),
            size,
            links,
            blocks: blocks.saturating_mul(unit),
            accessed: time(0x08, 0x8c)?,
            modified: time(0x10, 0x88)?,
            changed: time(0x0c, 0x84)?,
            mapping,
            map: fields.part(0x28, MAP_BYTES)?.try_into().map_err(|_| Errno::EUCLEAN)?,
            attribute_blocks: if has_attribute_block { superblock.block_bytes / 512 } else { 0 },
        };
        let longest = if kind == Kind::Directory { superblock.blocks * superblock.block_bytes } else { LARGEST };
        if links == 0 || size > longest { Err(Errno::EUCLEAN) } else { Ok(inode) }
    }

    /// A short link's target stands where other files' block numbers are.
    pub(super) fn is_short_link(&self) -> bool {
        let has_blocks = self.blocks > self.attribute_blocks;
        self.kind == Kind::Link && self.mapping == Mapping::Indirect && !has_blocks && self.size < MAP_BYTES as u64
    }

    /// The device that a device file stands for: major and minor number.
    pub(super) fn device(&self) -> Result<(u32, u32), Errno> {
        let fields = Fields(&self.map);
        let (old, new) = (fields.long(0)?, fields.long(4)?);
        Ok(if old != 0 { (old >> 8 & 0xff, old & 0xff) } else { (new >> 8 & 0xfff, new & 0xff | new >> 12 & 0xf_ff00) })
    }
}

/// Nanoseconds since 1970: seconds with a sign, and two more bits and the nanoseconds. What was before 1970 is 1970.
fn moment(seconds: u32, extra: u32) -> Result<u64, Errno> {
    let seconds = i64::from(seconds as i32) + (i64::from(extra & 3) << 32);
    let seconds = u64::try_from(seconds).unwrap_or(0);
    Ok(seconds.saturating_mul(SECOND).saturating_add(u64::from(extra >> 2).min(SECOND - 1)))
}
