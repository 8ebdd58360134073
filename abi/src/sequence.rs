//! Restartable sequences: what `rseq(2)` and its programs agree on in memory.
//!
//! Invariant: layouts and bits are x86-64 Linux's.

use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

/// `struct rseq`, up to the last field that there is: 28 bytes of at least 32.
#[repr(C)]
#[derive(Clone, Copy, Debug, Immutable, KnownLayout)]
pub struct SequenceArea {
    pub cpu_at_start: u32,
    pub cpu: u32,
    /// Where the critical section stands that the thread is in (0: in none).
    pub section: u64,
    pub flags: u32,
    pub node: u32,
    pub concurrency: u32,
}

/// Bytes of an area as the first Linux that knew it had it, and what it is aligned to.
pub const ORIGINAL_BYTES: u32 = 32;
/// Bytes of `SequenceArea` that hold fields.
pub const FEATURE_BYTES: u32 = 28;
pub const ALIGNMENT: u32 = 32;
const _: () = assert!(core::mem::offset_of!(SequenceArea, concurrency) + 4 == FEATURE_BYTES as usize);

/// `struct rseq_cs`: 32 bytes.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout)]
pub struct CriticalSection {
    pub version: u32,
    pub flags: u32,
    pub start: u64,
    /// Bytes from the start to behind the last instruction, which commits.
    pub length: u64,
    /// Where the program goes on when the section was disturbed.
    pub abort: u64,
}
const _: () = assert!(size_of::<CriticalSection>() == 32);

/// A flag of `rseq(2)`.
pub const UNREGISTER: i32 = 1;
/// In place of a CPU's number, in an area that is not registered.
pub const NO_CPU: u32 = u32::MAX;
