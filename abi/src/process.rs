//! Processes: clone arguments, wait statuses, resource use and limits.
//!
//! Invariant: layouts and bits are x86-64 Linux's.

use crate::time::Timeval;
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

/// `struct clone_args` of `clone3(2)`, version 2.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, FromBytes, IntoBytes, Immutable, KnownLayout)]
pub struct CloneArguments {
    pub flags: u64,
    pub process_descriptor: u64,
    pub child_thread: u64,
    pub parent_thread: u64,
    pub exit_signal: u64,
    pub stack: u64,
    pub stack_size: u64,
    pub thread_storage: u64,
    pub set_thread: u64,
    pub set_thread_size: u64,
    pub cgroup: u64,
}
const _: () = assert!(size_of::<CloneArguments>() == 88);

/// `struct rusage` of `getrusage(2)`: 144 bytes.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, FromBytes, IntoBytes, Immutable, KnownLayout)]
pub struct Rusage {
    pub user_time: Timeval,
    pub system_time: Timeval,
    /// Kibibytes.
    pub maximum_resident: i64,
    pub shared: i64,
    pub data: i64,
    pub stack: i64,
    pub minor_faults: i64,
    pub major_faults: i64,
    pub swaps: i64,
    pub blocks_in: i64,
    pub blocks_out: i64,
    pub messages_sent: i64,
    pub messages_received: i64,
    pub signals: i64,
    pub voluntary_switches: i64,
    pub involuntary_switches: i64,
}
const _: () = assert!(size_of::<Rusage>() == 144);

/// `struct rlimit64`.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout)]
pub struct Rlimit {
    pub soft: u64,
    pub hard: u64,
}

/// `RLIM_INFINITY`.
pub const UNLIMITED: u64 = u64::MAX;

/// `RLIMIT_*` numbers.
pub mod limit {
    pub const CPU: u32 = 0;
    pub const FILE_SIZE: u32 = 1;
    pub const DATA: u32 = 2;
    pub const STACK: u32 = 3;
    pub const CORE: u32 = 4;
    pub const RESIDENT: u32 = 5;
    pub const PROCESSES: u32 = 6;
    pub const FILES: u32 = 7;
    pub const LOCKED_MEMORY: u32 = 8;
    pub const ADDRESS_SPACE: u32 = 9;
    pub const LOCKS: u32 = 10;
    pub const PENDING_SIGNALS: u32 = 11;
    pub const MESSAGE_QUEUE: u32 = 12;
    pub const NICE: u32 = 13;
    pub const REAL_TIME_PRIORITY: u32 = 14;
    pub const REAL_TIME_MICROSECONDS: u32 = 15;
    pub const COUNT: usize = 16;
}

/// `struct tms` of `times(2)`.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, FromBytes, IntoBytes, Immutable, KnownLayout)]
pub struct Tms {
    pub user: i64,
    pub system: i64,
    pub children_user: i64,
    pub children_system: i64,
}

/// `struct sched_param`.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, FromBytes, IntoBytes, Immutable, KnownLayout)]
pub struct SchedParameter {
    pub priority: i32,
}

/// `struct sched_attr` of `sched_setattr(2)`, first version: 48 bytes.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, FromBytes, IntoBytes, Immutable, KnownLayout)]
pub struct SchedAttributes {
    pub size: u32,
    pub policy: u32,
    pub flags: u64,
    pub nice: i32,
    pub priority: u32,
    pub runtime: u64,
    pub deadline: u64,
    pub period: u64,
}
const _: () = assert!(size_of::<SchedAttributes>() == 48);

/// Scheduling policies.
pub mod policy {
    pub const OTHER: u32 = 0;
    pub const FIFO: u32 = 1;
    pub const ROUND_ROBIN: u32 = 2;
    pub const BATCH: u32 = 3;
    pub const IDLE: u32 = 5;
    pub const DEADLINE: u32 = 6;
    pub const RESET_ON_FORK: u32 = 0x4000_0000;
}

/// `waitid`'s and `wait4`'s options.
pub mod wait {
    pub const WNOHANG: u32 = 1;
    pub const WUNTRACED: u32 = 2;
    pub const WSTOPPED: u32 = 2;
    pub const WEXITED: u32 = 4;
    pub const WCONTINUED: u32 = 8;
    pub const WNOWAIT: u32 = 0x0100_0000;
    pub const WNOTHREAD: u32 = 0x2000_0000;
    pub const WALL: u32 = 0x4000_0000;
    pub const WCLONE: u32 = 0x8000_0000;
    pub const P_ALL: u32 = 0;
    pub const P_PID: u32 = 1;
    pub const P_PGID: u32 = 2;
    pub const P_PIDFD: u32 = 3;
}

/// `arch_prctl(2)`'s codes.
pub mod arch {
    pub const SET_GS: u64 = 0x1001;
    pub const SET_FS: u64 = 0x1002;
    pub const GET_FS: u64 = 0x1003;
    pub const GET_GS: u64 = 0x1004;
}

/// Head of a robust futex list: `get_robust_list(2)`.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, FromBytes, IntoBytes, Immutable, KnownLayout)]
pub struct RobustListHead {
    pub list: u64,
    pub futex_offset: i64,
    pub pending: u64,
}

/// One of the words that `futex_waitv` waits for.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, FromBytes, IntoBytes, Immutable, KnownLayout)]
pub struct FutexWait {
    pub value: u64,
    pub address: u64,
    pub flags: u32,
    pub reserved: u32,
}

/// Kinds of the auxiliary vector: `getauxval(3)`.
pub mod auxiliary {
    pub const NULL: u64 = 0;
    pub const IGNORE: u64 = 1;
    pub const PHDR: u64 = 3;
    pub const PHENT: u64 = 4;
    pub const PHNUM: u64 = 5;
    pub const PAGESZ: u64 = 6;
    pub const BASE: u64 = 7;
    pub const FLAGS: u64 = 8;
    pub const ENTRY: u64 = 9;
    pub const UID: u64 = 11;
    pub const EUID: u64 = 12;
    pub const GID: u64 = 13;
    pub const EGID: u64 = 14;
    pub const PLATFORM: u64 = 15;
    pub const HWCAP: u64 = 16;
    pub const CLKTCK: u64 = 17;
    pub const SECURE: u64 = 23;
    pub const RANDOM: u64 = 25;
    pub const HWCAP2: u64 = 26;
    pub const RSEQ_FEATURE_SIZE: u64 = 27;
    pub const RSEQ_ALIGN: u64 = 28;
    pub const EXECFN: u64 = 31;
    pub const SYSINFO_EHDR: u64 = 33;
    pub const MINSIGSTKSZ: u64 = 51;
}
