//! The kernel's own calls, 501 to 512: completion ports, channels, notifications, interrupt lines, shared memory.
//!
//! Invariant: layouts are little-endian with natural alignment and no hidden padding; programs written elsewhere rely on them.

use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

/// One operation, asked for.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout)]
pub struct Submission {
    pub user_data: u64,
    pub opcode: u32,
    pub flags: u32,
    pub fd: i32,
    pub padding: i32,
    pub buffer: u64,
    pub length: u32,
    pub offset: u32,
    pub timeout_nanoseconds: u64,
}
const _: () = assert!(size_of::<Submission>() == 48 && core::mem::offset_of!(Submission, buffer) == 24);

/// One operation, done: what it gives, or an errno below zero.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout)]
pub struct Completion {
    pub user_data: u64,
    pub result: i64,
    pub flags: u32,
    pub opcode: u32,
}
const _: () = assert!(size_of::<Completion>() == 24 && core::mem::offset_of!(Completion, opcode) == 20);

/// What goes through a channel; a descriptor of -1 is none.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout)]
pub struct Message {
    pub tag: u64,
    pub data: [u64; 3],
    pub fds: [i32; 4],
}
const _: () = assert!(size_of::<Message>() == 48 && core::mem::offset_of!(Message, fds) == 32);

/// How large the rings are to be, and where they are then.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout)]
pub struct RingParams {
    pub submission_entries: u32,
    pub completion_entries: u32,
    pub submission_fd: i32,
    pub completion_fd: i32,
}
const _: () = assert!(size_of::<RingParams>() == 16);

/// What a ring's page begins with.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout)]
pub struct RingHeader {
    pub head: u32,
    pub tail: u32,
    pub mask: u32,
    pub flags: u32,
}
const _: () = assert!(size_of::<RingHeader>() == 16 && core::mem::offset_of!(RingHeader, mask) == 8);

/// Where a ring's entries begin in its page.
pub const RING_ENTRIES_AT: usize = 64;
/// The most entries of a submission ring, and of a completion ring.
pub const MOST_SUBMISSIONS: u32 = 64;
pub const MOST_COMPLETIONS: u32 = 128;
const _: () = assert!(RING_ENTRIES_AT + MOST_SUBMISSIONS as usize * size_of::<Submission>() <= 4096);
const _: () = assert!(RING_ENTRIES_AT + MOST_COMPLETIONS as usize * size_of::<Completion>() <= 4096);

/// No descriptor, in a message.
pub const NO_FD: i32 = -1;

/// The descriptors that a call makes end when another program starts.
pub const CLOSE_ON_EXEC: u32 = 1;
/// Fail with `EAGAIN` rather than wait.
pub const DO_NOT_BLOCK: u32 = 1;

/// What a submission may ask for.
pub mod opcode {
    pub const NOTHING: u32 = 0;
    pub const TIMEOUT: u32 = 1;
    pub const READ: u32 = 2;
    pub const WRITE: u32 = 3;
    pub const WAIT_FOR_INTERRUPT: u32 = 4;
    pub const SEND: u32 = 5;
    pub const RECEIVE: u32 = 6;
    pub const WAIT_FOR_NOTIFICATION: u32 = 7;
}
