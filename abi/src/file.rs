//! Files: `stat`, `statx`, `statfs`, `iovec`.
//!
//! Invariant: layouts are x86-64 Linux's; padding is a named, zeroed field.

use crate::time::Timespec;
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

/// `struct stat` of `stat(2)`: 144 bytes.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, FromBytes, IntoBytes, Immutable, KnownLayout)]
pub struct Stat {
    pub device: u64,
    pub inode: u64,
    pub link_count: u64,
    pub mode: u32,
    pub user: u32,
    pub group: u32,
    pub padding: u32,
    pub special_device: u64,
    pub size: i64,
    pub block_size: i64,
    /// In units of 512 bytes.
    pub blocks: i64,
    pub accessed: Timespec,
    pub modified: Timespec,
    pub changed: Timespec,
    pub reserved: [i64; 3],
}
const _: () = assert!(size_of::<Stat>() == 144);

/// `struct statx_timestamp`.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, FromBytes, IntoBytes, Immutable, KnownLayout)]
pub struct StatxTimestamp {
    pub seconds: i64,
    pub nanoseconds: u32,
    pub padding: i32,
}

/// `struct statx` of `statx(2)`: 256 bytes.
#[repr(C)]
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable, KnownLayout)]
pub struct Statx {
    pub mask: u32,
    pub block_size: u32,
    pub attributes: u64,
    pub link_count: u32,
    pub user: u32,
    pub group: u32,
    pub mode: u16,
    pub padding: u16,
    pub inode: u64,
    pub size: u64,
    pub blocks: u64,
    pub attributes_mask: u64,
    pub accessed: StatxTimestamp,
    pub born: StatxTimestamp,
    pub changed: StatxTimestamp,
    pub modified: StatxTimestamp,
    pub special_device_major: u32,
    pub special_device_minor: u32,
    pub device_major: u32,
    pub device_minor: u32,
    pub mount_identifier: u64,
    pub direct_memory_alignment: u32,
    pub direct_offset_alignment: u32,
    pub spare: [u64; 12],
}
const _: () = assert!(size_of::<Statx>() == 256);

/// `struct statfs` of `statfs(2)`: 120 bytes.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, FromBytes, IntoBytes, Immutable, KnownLayout)]
pub struct Statfs {
    pub kind: i64,
    pub block_size: i64,
    pub blocks: u64,
    pub blocks_free: u64,
    pub blocks_available: u64,
    pub files: u64,
    pub files_free: u64,
    pub identifier: [i32; 2],
    pub name_length: i64,
    pub fragment_size: i64,
    pub flags: i64,
    pub spare: [i64; 4],
}
const _: () = assert!(size_of::<Statfs>() == 120);

/// `struct iovec`: one piece of a scattered buffer.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, FromBytes, IntoBytes, Immutable, KnownLayout)]
pub struct Iovec {
    pub base: u64,
    pub length: u64,
}

/// `struct flock` of `fcntl(2)`: a record lock.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, FromBytes, IntoBytes, Immutable, KnownLayout)]
pub struct RecordLock {
    pub kind: i16,
    pub whence: i16,
    pub padding: i32,
    pub start: i64,
    pub length: i64,
    pub process: i32,
    pub padding_end: i32,
}
const _: () = assert!(size_of::<RecordLock>() == 32);

/// Fixed head of `struct linux_dirent64`; the name and its NUL follow, records are 8-byte aligned.
#[repr(C, packed)]
#[derive(Clone, Copy, Debug, Default, FromBytes, IntoBytes, Immutable, KnownLayout)]
pub struct DirectoryEntryHead {
    pub inode: u64,
    pub offset: i64,
    pub record_length: u16,
    pub kind: u8,
}
const _: () = assert!(size_of::<DirectoryEntryHead>() == 19);

/// A device number as `stat` shows it: `makedev(3)`.
pub const fn device_number(major: u32, minor: u32) -> u64 {
    ((major as u64 & 0xffff_f000) << 32) | ((major as u64 & 0xfff) << 8) | ((minor as u64 & 0xffff_ff00) << 12) | (minor as u64 & 0xff)
}

/// The parts of a device number: major, minor.
pub const fn device_parts(device: u64) -> (u32, u32) {
    let major = ((device >> 32) & 0xffff_f000) | ((device >> 8) & 0xfff);
    let minor = ((device >> 12) & 0xffff_ff00) | (device & 0xff);
    (major as u32, minor as u32)
}

/// File type bits of a mode, and permission bits.
pub mod mode {
    pub const TYPE_MASK: u32 = 0o170000;
    pub const SOCKET: u32 = 0o140000;
    pub const LINK: u32 = 0o120000;
    pub const REGULAR: u32 = 0o100000;
    pub const BLOCK: u32 = 0o060000;
    pub const DIRECTORY: u32 = 0o040000;
    pub const CHARACTER: u32 = 0o020000;
    pub const FIFO: u32 = 0o010000;
    pub const SET_USER: u32 = 0o4000;
    pub const SET_GROUP: u32 = 0o2000;
    pub const STICKY: u32 = 0o1000;
    pub const PERMISSIONS: u32 = 0o7777;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_device_number_keeps_its_parts() {
        for (major, minor) in [(1, 3), (5, 0), (136, 70_000), (4095, 255), (70_000, 1_000_000)] {
            assert_eq!(device_parts(device_number(major, minor)), (major, minor));
        }
    }
}
