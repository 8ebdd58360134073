//! What semop and semctl read and tell: `sembuf`, `semid_ds` and `seminfo`.
//!
//! Invariant: fields stand as in x86-64 Linux's headers, gaps named.

use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

use crate::system_v::semaphore_set::{MOST_VALUE, Operation, Set, State};
use crate::system_v::semaphores::{MOST, MOST_IN_A_SET, MOST_IN_ALL, MOST_OPERATIONS};

const IPC_NOWAIT: u16 = 0o4000;
const SEM_UNDO: u16 = 0x1000;

/// `struct sembuf`.
#[derive(Clone, Copy, Debug, Default, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct OperationText {
    index: u16,
    change: i16,
    flags: u16,
}

impl OperationText {
    pub const fn decode(self) -> Operation {
        let Self { index, change, flags } = self;
        Operation { index, change, may_wait: flags & IPC_NOWAIT == 0, is_undone: flags & SEM_UNDO != 0 }
    }
}

/// `struct semid64_ds`.
#[derive(Clone, Copy, Debug, Default, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct SetText {
    key: i32,
    pub user: u32,
    pub group: u32,
    maker: u32,
    maker_group: u32,
    pub mode: u32,
    sequence: u16,
    gap: [u16; 3],
    unused: [u64; 2],
    operated_at: i64,
    unused_too: u64,
    changed_at: i64,
    unused_again: u64,
    length: u64,
    unused_last: [u64; 2],
}

impl SetText {
    pub fn of(set: &Set, state: &State) -> Self {
        let rights = state.rights;
        Self {
            key: set.key,
            user: rights.user,
            group: rights.group,
            maker: rights.maker,
            maker_group: rights.maker_group,
            mode: rights.mode,
            sequence: u16::try_from(set.number >> 15).unwrap_or(0),
            operated_at: state.operated_at,
            changed_at: state.changed_at,
            length: set.length as u64,
            ..Self::default()
        }
    }
}

/// `struct seminfo`. The last but two are the size of what is undone, or how many sets there are; the last the most that is
/// undone, or how many semaphores there are.
pub fn information(in_use: Option<(usize, usize)>) -> [i32; 10] {
    let number = |value: usize| i32::try_from(value).unwrap_or(i32::MAX);
    let all = number(MOST_IN_ALL);
    let most_value = usize::try_from(MOST_VALUE).unwrap_or(0);
    let (sets, semaphores) = in_use.unwrap_or((20, most_value));
    let (set, call) = (number(MOST_IN_A_SET), number(MOST_OPERATIONS));
    [all, number(MOST), all, all, set, call, call, number(sets), MOST_VALUE, number(semaphores)]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_texts_are_as_long_as_the_headers_say() {
        assert_eq!((size_of::<OperationText>(), size_of::<SetText>()), (6, 104));
    }
}
