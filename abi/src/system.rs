//! The machine as programs see it: `uname`, `sysinfo`.
//!
//! Invariant: layouts are x86-64 Linux's.

use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

/// `struct new_utsname`: six strings of 65 bytes, NUL-terminated.
#[repr(C)]
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable, KnownLayout)]
pub struct Utsname {
    pub system: [u8; 65],
    pub node: [u8; 65],
    pub release: [u8; 65],
    pub version: [u8; 65],
    pub machine: [u8; 65],
    pub domain: [u8; 65],
}
const _: () = assert!(size_of::<Utsname>() == 390);

/// `struct sysinfo`: 112 bytes.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, FromBytes, IntoBytes, Immutable, KnownLayout)]
pub struct Sysinfo {
    pub uptime: i64,
    /// Load averages over 1, 5 and 15 minutes, times 65536.
    pub loads: [u64; 3],
    pub total_memory: u64,
    pub free_memory: u64,
    pub shared_memory: u64,
    pub buffer_memory: u64,
    pub total_swap: u64,
    pub free_swap: u64,
    pub processes: u16,
    pub padding: [u8; 6],
    pub total_high: u64,
    pub free_high: u64,
    pub memory_unit: u32,
    pub padding_end: u32,
}
const _: () = assert!(size_of::<Sysinfo>() == 112);
