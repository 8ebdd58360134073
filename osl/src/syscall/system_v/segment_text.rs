//! What shmctl tells: `shmid_ds`, `shminfo` and `shm_info`.
//!
//! Invariant: fields stand as in x86-64 Linux's headers, gaps named.

use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

use crate::system_v::segment::Uses;
use crate::system_v::segments::{Facts, MOST, MOST_BYTES, MOST_PAGES};

/// `struct shmid64_ds`.
#[derive(Clone, Copy, Debug, Default, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct SegmentText {
    key: i32,
    user: u32,
    group: u32,
    maker: u32,
    maker_group: u32,
    mode: u32,
    sequence: u16,
    gap: [u16; 3],
    unused: [u64; 2],
    bytes: u64,
    attached_at: i64,
    detached_at: i64,
    changed_at: i64,
    maker_process: i32,
    last_process: i32,
    attached: u64,
    unused_too: [u64; 2],
}

/// What `IPC_SET` changes.
pub struct Change {
    pub user: u32,
    pub group: u32,
    pub mode: u32,
}

impl SegmentText {
    pub fn of(facts: &Facts, uses: Uses) -> Self {
        let rights = facts.rights;
        Self {
            key: facts.key,
            user: rights.user,
            group: rights.group,
            maker: rights.maker,
            maker_group: rights.maker_group,
            mode: facts.mode(),
            sequence: u16::try_from(facts.number >> 15).unwrap_or(0),
            bytes: facts.bytes,
            attached_at: uses.attached_at,
            detached_at: uses.detached_at,
            changed_at: facts.changed_at,
            maker_process: facts.maker,
            last_process: uses.last,
            attached: uses.attached,
            ..Self::default()
        }
    }

    pub const fn change(&self) -> Change {
        Change { user: self.user, group: self.group, mode: self.mode }
    }
}

/// `struct shminfo`: most and least bytes of one, how many, how many for each process, pages of all.
pub fn limits() -> [u64; 9] {
    [MOST_BYTES.load(), 1, MOST.load(), MOST.load(), MOST_PAGES.load(), 0, 0, 0, 0]
}

/// `struct shm_info`: how many, pages of all, pages in memory, and what was swapped.
pub const fn in_use(count: u64, pages: u64, in_memory: u64) -> [u64; 6] {
    [count, pages, in_memory, 0, 0, 0]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_text_is_as_long_as_the_headers_say() {
        assert_eq!(size_of::<SegmentText>(), 112);
    }
}
