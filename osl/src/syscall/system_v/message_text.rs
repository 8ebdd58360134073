//! What msgctl tells: `msqid_ds` and `msginfo`.
//!
//! Invariant: fields stand as in x86-64 Linux's headers, gaps named.

use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

use crate::system_v::message_queue::{Queue, State};
use crate::system_v::message_queues::{MOST, MOST_IN_A_QUEUE, MOST_OF_ONE};

/// `struct msqid64_ds`.
#[derive(Clone, Copy, Debug, Default, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct QueueText {
    key: i32,
    pub user: u32,
    pub group: u32,
    maker: u32,
    maker_group: u32,
    pub mode: u32,
    sequence: u16,
    gap: [u16; 3],
    unused: [u64; 2],
    sent_at: i64,
    received_at: i64,
    changed_at: i64,
    bytes: u64,
    messages: u64,
    pub most_bytes: u64,
    last_sender: i32,
    last_receiver: i32,
    unused_too: [u64; 2],
}

impl QueueText {
    pub fn of(queue: &Queue, state: &State) -> Self {
        let rights = state.rights;
        let (bytes, messages) = state.in_it();
        Self {
            key: queue.key,
            user: rights.user,
            group: rights.group,
            maker: rights.maker,
            maker_group: rights.maker_group,
            mode: rights.mode,
            sequence: u16::try_from(queue.number >> 15).unwrap_or(0),
            sent_at: state.sent_at,
            received_at: state.received_at,
            changed_at: state.changed_at,
            bytes,
            messages,
            most_bytes: state.most_bytes,
            last_sender: state.last_sender,
            last_receiver: state.last_receiver,
            ..Self::default()
        }
    }
}

/// How many queues there are, and messages and bytes in all of them.
#[derive(Clone, Copy, Default)]
pub struct InUse {
    pub queues: usize,
    pub messages: u64,
    pub bytes: u64,
}

/// `struct msginfo`: limits; the first, the second and the seventh are what is in use, or numbers that mean nothing any more. So do
/// the size of a segment and, at the end, how many segments there are.
pub fn information(in_use: Option<InUse>) -> [i32; 8] {
    let number = |value: u64| i32::try_from(value).unwrap_or(i32::MAX);
    let (queue, queues) = (number(MOST_IN_A_QUEUE.load()), number(MOST.load()));
    let (pool, map, all) = in_use.map_or((32000 * (16384 / 1024), 16384, 16384), |in_use| {
        (number(in_use.queues as u64), number(in_use.messages), number(in_use.bytes))
    });
    [pool, map, number(MOST_OF_ONE.load()), queue, queues, 16, all, 0xffff]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_text_is_as_long_as_the_headers_say() {
        assert_eq!(size_of::<QueueText>(), 120);
    }
}
