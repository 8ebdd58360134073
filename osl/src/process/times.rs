//! Processor time and other use, of a task, a process and its children.
//!
//! Invariant: what an ended task used is added to its process before the task leaves the list of tasks, so nothing is lost or
//! counted twice.

use abi::process::Rusage;
use abi::time::Timeval;

/// Processor time in nanoseconds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Spent {
    /// In the program's own code.
    pub user_ns: u64,
    /// In the kernel on its behalf.
    pub system_ns: u64,
}

/// All that is counted of a task.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Usage {
    /// Processor time.
    pub spent: Spent,
    /// Times it gave the CPU up by itself.
    pub voluntary_switches: u64,
    /// Times it was made to.
    pub involuntary_switches: u64,
    /// Page faults; none here has to read from a disk.
    pub faults: u64,
    /// Most pages in memory at once, as far as it was looked at.
    pub most_pages: u64,
}

impl Spent {
    /// Both together.
    pub fn total_ns(self) -> u64 {
        self.user_ns.saturating_add(self.system_ns)
    }
}

impl Usage {
    /// The sum, and the larger of the two memory sizes.
    pub fn plus(self, other: Self) -> Self {
        Self {
            spent: Spent {
                user_ns: self.spent.user_ns.saturating_add(other.spent.user_ns),
                system_ns: self.spent.system_ns.saturating_add(other.spent.system_ns),
            },
            voluntary_switches: self.voluntary_switches.saturating_add(other.voluntary_switches),
            involuntary_switches: self.involuntary_switches.saturating_add(other.involuntary_switches),
            faults: self.faults.saturating_add(other.faults),
            most_pages: self.most_pages.max(other.most_pages),
        }
    }

    /// As `getrusage` and `wait4` write it.
    pub fn as_rusage(self) -> Rusage {
        let signed = |count: u64| i64::try_from(count).unwrap_or(i64::MAX);
        Rusage {
            user_time: Timeval::from_nanoseconds(self.spent.user_ns),
            system_time: Timeval::from_nanoseconds(self.spent.system_ns),
            maximum_resident: signed(self.most_pages.saturating_mul(4)),
            minor_faults: signed(self.faults),
            voluntary_switches: signed(self.voluntary_switches),
            involuntary_switches: signed(self.involuntary_switches),
            ..Rusage::default()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sum_adds_time_and_keeps_the_larger_memory() {
        let one = Usage { spent: Spent { user_ns: 1, system_ns: 2 }, most_pages: 9, ..Usage::default() };
        let two = Usage { spent: Spent { user_ns: 10, system_ns: 20 }, most_pages: 3, ..Usage::default() };
        let sum = one.plus(two);
        assert_eq!((sum.spent.user_ns, sum.spent.system_ns, sum.most_pages), (11, 22, 9));
    }

    #[test]
    fn use_is_printed_in_microseconds_and_kibibytes() {
        let usage = Usage { spent: Spent { user_ns: 1_500_000_000, system_ns: 0 }, most_pages: 2, ..Usage::default() };
        let printed = usage.as_rusage();
        assert_eq!((printed.user_time.seconds, printed.user_time.microseconds), (1, 500_000));
        assert_eq!(printed.maximum_resident, 8);
    }
}
