//! How a timer is set, as every kind of timer is given and tells it.
//!
//! Invariant: times are nanoseconds; a program's time that is negative or malformed is no setting.

use abi::time::{IntervalTimer, IntervalTimespec, Timespec, Timeval};

/// Nanoseconds left (0: not running), and nanoseconds between repetitions (0: none).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Setting {
    /// Until it next expires.
    pub left_ns: u64,
    /// From then on.
    pub interval_ns: u64,
}

impl Setting {
    /// As `setitimer` gives it.
    pub fn of_interval_timer(given: &IntervalTimer) -> Option<Self> {
        Some(Self { left_ns: given.value.to_nanoseconds()?, interval_ns: given.interval.to_nanoseconds()? })
    }

    /// As `timer_settime` and `timerfd_settime` give it.
    pub fn of_timespecs(given: &IntervalTimespec) -> Option<Self> {
        Some(Self { left_ns: given.value.to_nanoseconds()?, interval_ns: given.interval.to_nanoseconds()? })
    }

    /// As `getitimer` tells it.
    pub fn as_interval_timer(self) -> IntervalTimer {
        IntervalTimer { interval: Timeval::from_nanoseconds(self.interval_ns), value: Timeval::from_nanoseconds(self.left_ns) }
    }

    /// As `timer_gettime` and `timerfd_gettime` tell it.
    pub fn as_timespecs(self) -> IntervalTimespec {
        IntervalTimespec { interval: Timespec::from_nanoseconds(self.interval_ns), value: Timespec::from_nanoseconds(self.left_ns) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_malformed_time_is_no_setting() {
        let with = |nanoseconds| IntervalTimespec { value: Timespec { seconds: 1, nanoseconds }, ..IntervalTimespec::default() };
        assert_eq!(Setting::of_timespecs(&with(5)), Some(Setting { left_ns: 1_000_000_005, interval_ns: 0 }));
        assert_eq!(Setting::of_timespecs(&with(-1)), None);
        assert_eq!(Setting::of_timespecs(&with(1_000_000_000)), None);
    }
}
