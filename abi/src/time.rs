//! Time: `timespec`, `timeval`, clock numbers.
//!
//! Invariant: layouts are x86-64 Linux's.

use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

/// `struct timespec`.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout)]
pub struct Timespec {
    pub seconds: i64,
    pub nanoseconds: i64,
}

impl Timespec {
    pub const fn from_nanoseconds(total: u64) -> Self {
        Timespec { seconds: (total / 1_000_000_000) as i64, nanoseconds: (total % 1_000_000_000) as i64 }
    }

    /// Nanoseconds, saturating; `None` when negative or when the nanoseconds are not below one second.
    pub fn to_nanoseconds(self) -> Option<u64> {
        let seconds = u64::try_from(self.seconds).ok()?;
        let nanoseconds = u64::try_from(self.nanoseconds).ok().filter(|&n| n < 1_000_000_000)?;
        Some(seconds.saturating_mul(1_000_000_000).saturating_add(nanoseconds))
    }
}

/// `struct timeval`.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout)]
pub struct Timeval {
    pub seconds: i64,
    pub microseconds: i64,
}

impl Timeval {
    pub const fn from_nanoseconds(total: u64) -> Self {
        Timeval { seconds: (total / 1_000_000_000) as i64, microseconds: ((total % 1_000_000_000) / 1_000) as i64 }
    }

    /// Nanoseconds, saturating; `None` when negative or when the microseconds are not below one second.
    pub fn to_nanoseconds(self) -> Option<u64> {
        let seconds = u64::try_from(self.seconds).ok()?;
        let microseconds = u64::try_from(self.microseconds).ok().filter(|&n| n < 1_000_000)?;
        Some(seconds.saturating_mul(1_000_000_000).saturating_add(microseconds * 1_000))
    }
}

/// `struct itimerval`.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, FromBytes, IntoBytes, Immutable, KnownLayout)]
pub struct IntervalTimer {
    pub interval: Timeval,
    pub value: Timeval,
}

/// `struct itimerspec`.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, FromBytes, IntoBytes, Immutable, KnownLayout)]
pub struct IntervalTimespec {
    pub interval: Timespec,
    pub value: Timespec,
}

/// `struct timezone`.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, FromBytes, IntoBytes, Immutable, KnownLayout)]
pub struct Timezone {
    pub minutes_west: i32,
    pub daylight_saving: i32,
}

/// `struct utimbuf`.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, FromBytes, IntoBytes, Immutable, KnownLayout)]
pub struct FileTimes {
    pub accessed: i64,
    pub modified: i64,
}

/// Clock numbers of `clock_gettime(2)`.
pub mod clock {
    pub const REALTIME: i32 = 0;
    pub const MONOTONIC: i32 = 1;
    pub const PROCESS_CPUTIME: i32 = 2;
    pub const THREAD_CPUTIME: i32 = 3;
    pub const MONOTONIC_RAW: i32 = 4;
    pub const REALTIME_COARSE: i32 = 5;
    pub const MONOTONIC_COARSE: i32 = 6;
    pub const BOOTTIME: i32 = 7;
    pub const REALTIME_ALARM: i32 = 8;
    pub const BOOTTIME_ALARM: i32 = 9;
    pub const TAI: i32 = 11;
}

/// `clock_nanosleep`'s and `timer_settime`'s flag.
pub const TIMER_ABSTIME: i32 = 1;
/// `utimensat`: set to the present.
pub const UTIME_NOW: i64 = 0x3fff_ffff;
/// `utimensat`: leave as it is.
pub const UTIME_OMIT: i64 = 0x3fff_fffe;
