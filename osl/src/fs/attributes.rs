//! What `stat` tells about a file.
//!
//! Invariant: `mode` holds only the twelve permission bits; the type of the file is its `Kind`.

use abi::file::{Stat, Statx, StatxTimestamp, device_parts, mode};
use abi::time::Timespec;

use super::node::{Identity, Kind};

/// A file's properties at one moment. Times are nanoseconds since 1970.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Attributes {
    /// Which file it is.
    pub identity: Identity,
    /// What it is.
    pub kind: Kind,
    /// Permissions, set-id bits and the sticky bit.
    pub mode: u32,
    /// In how many directories it stands.
    pub links: u64,
    /// Its owner.
    pub user: u32,
    /// Its group.
    pub group: u32,
    /// The device that a device file stands for.
    pub special: u64,
    /// Length in bytes.
    pub size: u64,
    /// Memory or disk used, in units of 512 bytes.
    pub blocks: u64,
    /// Last read.
    pub accessed: u64,
    /// Last change of content.
    pub modified: u64,
    /// Last change of anything.
    pub changed: u64,
}

/// A wish to change a file's properties; `None` leaves one as it is.
#[derive(Clone, Copy, Debug, Default)]
pub struct Change {
    /// New permission bits.
    pub mode: Option<u32>,
    /// New owner.
    pub user: Option<u32>,
    /// New group.
    pub group: Option<u32>,
    /// New time of the last read.
    pub accessed: Option<u64>,
    /// New time of the last change of content.
    pub modified: Option<u64>,
}

const BLOCK: u64 = 4096;

impl Attributes {
    /// A file of a kernel-made file system: owned by root, one link, all times `now`.
    pub fn plain(identity: Identity, kind: Kind, mode: u32, now: u64) -> Self {
        Self {
            identity,
            kind,
            mode,
            links: 1,
            user: 0,
            group: 0,
            special: 0,
            size: 0,
            blocks: 0,
            accessed: now,
            modified: now,
            changed: now,
        }
    }

    /// Fulfils a wish, at the moment `now`.
    pub fn change(&mut self, change: Change, now: u64) {
        self.mode = change.mode.unwrap_or(self.mode) & mode::PERMISSIONS;
        self.user = change.user.unwrap_or(self.user);
        self.group = change.group.unwrap_or(self.group);
        self.accessed = change.accessed.unwrap_or(self.accessed);
        self.modified = change.modified.unwrap_or(self.modified);
        self.changed = now;
    }

    /// Type and permissions in one word, as `st_mode`.
    pub fn full_mode(&self) -> u32 {
        self.kind.mode_bits() | self.mode
    }

    /// As `stat(2)` shows it.
    pub fn to_stat(&self) -> Stat {
        Stat {
            device: self.identity.file_system,
            inode: self.identity.number,
            link_count: self.links,
            mode: self.full_mode(),
            user: self.user,
            group: self.group,
            special_device: self.special,
            size: signed(self.size),
            block_size: signed(BLOCK),
            blocks: signed(self.blocks),
            accessed: Timespec::from_nanoseconds(self.accessed),
            modified: Timespec::from_nanoseconds(self.modified),
            changed: Timespec::from_nanoseconds(self.changed),
            ..Stat::default()
        }
    }

    /// As `statx(2)` shows it.
    pub fn to_statx(&self, mount_identifier: u64) -> Statx {
        let (device_major, device_minor) = device_parts(self.identity.file_system);
        let (special_device_major, special_device_minor) = device_parts(self.special);
        Statx {
            mask: abi::constant::STATX_BASIC_STATS | abi::constant::STATX_MNT_ID,
            block_size: u32::try_from(BLOCK).unwrap_or(u32::MAX),
            attributes: 0,
            link_count: u32::try_from(self.links).unwrap_or(u32::MAX),
            user: self.user,
            group: self.group,
            mode: u16::try_from(self.full_mode()).unwrap_or(u16::MAX),
            padding: 0,
            inode: self.identity.number,
            size: self.size,
            blocks: self.blocks,
            attributes_mask: 0,
            accessed: timestamp(self.accessed),
            born: StatxTimestamp::default(),
            changed: timestamp(self.changed),
            modified: timestamp(self.modified),
            special_device_major,
            special_device_minor,
            device_major,
            device_minor,
            mount_identifier,
            direct_memory_alignment: 0,
            direct_offset_alignment: 0,
            spare: [0; 12],
        }
    }
}

fn signed(value: u64) -> i64 {
    i64::try_from(value).unwrap_or(i64::MAX)
}

fn timestamp(nanoseconds: u64) -> StatxTimestamp {
    let time = Timespec::from_nanoseconds(nanoseconds);
    StatxTimestamp { seconds: time.seconds, nanoseconds: u32::try_from(time.nanoseconds).unwrap_or(0), padding: 0 }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stat_shows_the_kind_in_the_mode() {
        let identity = Identity { file_system: 7, number: 9 };
        let stat = Attributes::plain(identity, Kind::Directory, 0o755, 1_500_000_000).to_stat();
        assert_eq!((stat.mode, stat.inode, stat.modified.seconds), (0o040755, 9, 1));
    }
}
