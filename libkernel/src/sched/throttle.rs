//! The throttle: real-time threads leave the others a twentieth of each CPU.
//!
//! Invariant: `spent` is what real-time threads ran on this CPU since `began`, the start of the running second. It
//! counts only where others wait: a CPU never idles for it (`man 7 sched`, "Limiting the CPU usage of real-time").

/// As Linux's `sched_rt_period_us` and `sched_rt_runtime_us`.
const PERIOD_NS: u64 = 1_000_000_000;
const RUNTIME_NS: u64 = 950_000_000;

pub(crate) struct Throttle {
    began: u64,
    spent: u64,
}

impl Throttle {
    pub(crate) const fn new() -> Self {
        Throttle { began: 0, spent: 0 }
    }

    /// Time has passed, and (or not) to a real-time thread.
    pub(crate) const fn charge(&mut self, now: u64, passed: u64, to_real_time: bool) {
        let since = now.saturating_sub(self.began);
        if since >= PERIOD_NS {
            self.began = now - since % PERIOD_NS;
            self.spent = 0;
        }
        if to_real_time {
            // What belongs to the second before is forgiven.
            let since = now.saturating_sub(self.began);
            self.spent += if passed < since { passed } else { since };
        }
    }

    /// Do others go first now?
    pub(crate) const fn is_exhausted(&self) -> bool {
        self.spent >= RUNTIME_NS
    }

    /// How long real-time threads may still run before others.
    pub(crate) const fn left(&self) -> u64 {
        RUNTIME_NS.saturating_sub(self.spent)
    }

    /// How long it lasts until they may again.
    pub(crate) const fn until_next(&self, now: u64) -> u64 {
        (self.began + PERIOD_NS).saturating_sub(now)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MILLISECOND: u64 = 1_000_000;

    #[test]
    fn real_time_has_nineteen_twentieths_of_each_second() {
        let mut throttle = Throttle::new();
        throttle.charge(949 * MILLISECOND, 949 * MILLISECOND, true);
        assert!(!throttle.is_exhausted());
        assert_eq!(throttle.left(), MILLISECOND);
        throttle.charge(950 * MILLISECOND, MILLISECOND, true);
        assert!(throttle.is_exhausted());
        assert_eq!(throttle.until_next(950 * MILLISECOND), 50 * MILLISECOND);
        throttle.charge(1_000 * MILLISECOND, 50 * MILLISECOND, false);
        assert!(!throttle.is_exhausted());
        assert_eq!(throttle.left(), 950 * MILLISECOND);
    }

    #[test]
    fn what_ran_in_an_earlier_second_is_forgiven() {
        let mut throttle = Throttle::new();
        throttle.charge(10_010 * MILLISECOND, 10_010 * MILLISECOND, true);
        assert_eq!(throttle.left(), 940 * MILLISECOND);
    }
}
