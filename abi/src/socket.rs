//! Sockets: addresses, message headers, options, as `socket(7)` and `unix(7)` have them.
//!
//! Invariant: layouts are x86-64 Linux's; padding is a named, zeroed field.

use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

pub const AF_UNSPEC: u16 = 0;
pub const AF_UNIX: u16 = 1;
/// Families are numbered below this.
pub const AF_MAX: i32 = 46;

/// The types of sockets.
pub mod kind {
    pub const STREAM: u32 = 1;
    pub const DATAGRAM: u32 = 2;
    pub const RAW: u32 = 3;
    pub const PACKET: u32 = 5;
    /// Types are numbered below this.
    pub const MAX: u32 = 11;
    pub const MASK: u32 = 0xf;
    pub const NONBLOCK: u32 = 0o4000;
    pub const CLOEXEC: u32 = 0o2_000_000;
}

/// `MSG_*`.
pub mod message {
    pub const OUT_OF_BAND: u32 = 0x1;
    pub const PEEK: u32 = 0x2;
    pub const CONTROL_TRUNCATED: u32 = 0x8;
    pub const TRUNCATED: u32 = 0x20;
    pub const DONT_WAIT: u32 = 0x40;
    pub const END_OF_RECORD: u32 = 0x80;
    pub const WAIT_ALL: u32 = 0x100;
    pub const ERROR_QUEUE: u32 = 0x2000;
    pub const NO_SIGNAL: u32 = 0x4000;
    pub const WAIT_FOR_ONE: u32 = 0x10000;
    pub const CLOSE_ON_EXEC: u32 = 0x4000_0000;
}

pub const SOL_SOCKET: i32 = 1;
/// What a control message is.
pub const SCM_RIGHTS: i32 = 1;
pub const SCM_CREDENTIALS: i32 = 2;
/// The most descriptors in one message.
pub const SCM_MAX_FD: usize = 253;

/// `SO_*` at level `SOL_SOCKET`.
pub mod option {
    pub const DEBUG: i32 = 1;
    pub const REUSE_ADDRESS: i32 = 2;
    pub const TYPE: i32 = 3;
    pub const ERROR: i32 = 4;
    pub const DONT_ROUTE: i32 = 5;
    pub const BROADCAST: i32 = 6;
    pub const SEND_BUFFER: i32 = 7;
    pub const RECEIVE_BUFFER: i32 = 8;
    pub const KEEP_ALIVE: i32 = 9;
    pub const OUT_OF_BAND_INLINE: i32 = 10;
    pub const PRIORITY: i32 = 12;
    pub const LINGER: i32 = 13;
    pub const REUSE_PORT: i32 = 15;
    pub const PASS_CREDENTIALS: i32 = 16;
    pub const PEER_CREDENTIALS: i32 = 17;
    pub const RECEIVE_LOW_WATER: i32 = 18;
    pub const SEND_LOW_WATER: i32 = 19;
    pub const RECEIVE_TIMEOUT: i32 = 20;
    pub const SEND_TIMEOUT: i32 = 21;
    pub const ACCEPTS_CONNECTIONS: i32 = 30;
    pub const SEND_BUFFER_FORCE: i32 = 32;
    pub const RECEIVE_BUFFER_FORCE: i32 = 33;
    pub const PROTOCOL: i32 = 38;
    pub const DOMAIN: i32 = 39;
}

/// `SIOCOUTQ`: bytes on their way to the receiver.
pub const SIOCOUTQ: u32 = 0x5411;

/// The longest address of any family (`struct sockaddr_storage`).
pub const LONGEST_ADDRESS: usize = 128;
/// The longest name in an address of this machine (`sun_path`).
pub const PATH_BYTES: usize = 108;

/// `struct msghdr` of `recvmsg(2)`.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, FromBytes, IntoBytes, Immutable, KnownLayout)]
pub struct MessageHeader {
    pub name: u64,
    pub name_length: i32,
    pub padding: u32,
    pub pieces: u64,
    pub piece_count: u64,
    pub control: u64,
    pub control_length: u64,
    pub flags: u32,
    pub padding_end: u32,
}
const _: () = assert!(size_of::<MessageHeader>() == 56);

/// `struct mmsghdr` of `recvmmsg(2)`, after its message header.
pub const MULTIPLE_HEADER_BYTES: u64 = 64;

/// `struct cmsghdr`: the head of a control message.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, FromBytes, IntoBytes, Immutable, KnownLayout)]
pub struct ControlHeader {
    pub length: u64,
    pub level: i32,
    pub kind: i32,
}
const _: () = assert!(size_of::<ControlHeader>() == 16);

/// `struct ucred`: who sent or connected.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout)]
pub struct PeerCredentials {
    pub process: i32,
    pub user: u32,
    pub group: u32,
}
const _: () = assert!(size_of::<PeerCredentials>() == 12);
